//! The locks and atomics of this crate. In tests that are built with `--cfg shuttle`, a scheduler under them tries other orders
//! of the threads.

#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering};
#[cfg(all(shuttle, feature = "memory"))]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(shuttle))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(all(not(shuttle), feature = "memory"))]
pub(crate) use std::sync::{Mutex, MutexGuard};
