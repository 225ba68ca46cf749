//! R1 to R6: who a session belongs to.

mod change;
mod cookies;
mod epoch;
mod late;
mod renewal;
