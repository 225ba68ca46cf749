//! R1 to R6: tokens, epochs and identities, which decide who a session belongs to.

mod change;
mod cookies;
mod epoch;
mod late;
mod renewal;
