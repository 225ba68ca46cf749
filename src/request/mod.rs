//! What is remembered of one request and its session. Pure: no clock, no randomness, no IO.

pub(crate) mod change_list;
mod done;
pub(crate) mod ending;
pub(crate) mod loaded;
pub(crate) mod pending;
pub(crate) mod session;
pub(crate) mod slot;
mod written;
