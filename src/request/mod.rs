//! What is remembered of one request and its session. Pure: no clock, no randomness, no IO.
//!
//! A handle writes to the `slot`, which holds the `session` in three parts: what was `loaded`, what is `pending`, and what is
//! `done`. `written` says what becomes of them after an awaited call.

pub(crate) mod change_list;
mod done;
pub(crate) mod ending;
pub(crate) mod loaded;
pub(crate) mod pending;
pub(crate) mod session;
pub(crate) mod slot;
mod written;
