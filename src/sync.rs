//! The locks and atomics of this crate. Built with `--cfg shuttle`, they run under a scheduler that tries other orders of the
//! threads, for the tests below.

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
