//! The locks and atomics that we own. In the tests that are built with `--cfg shuttle`, a scheduler that tries other orders
//! of the threads is under them.

#[cfg(all(test, shuttle))]
mod tests;

#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicUsize, Ordering};
#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(shuttle))]
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard};
