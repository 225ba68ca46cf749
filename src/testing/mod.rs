//! For tests of a service: a [`Browser`] with a cookie jar, a store that fails on command ([`Faulty`]), and the clock that
//! stands still ([`ManualClock`]). Behind the crate feature `test-support`, for `[dev-dependencies]`.
//!
//! The chapter [testing](crate::guide::testing) of the manual shows them together. A store of one's own is tested by
//! [`conformance`](crate::store::conformance).

mod answer;
mod browser;
mod faulty;

pub use crate::clock::ManualClock;
pub use answer::Answer;
pub use browser::Browser;
pub use faulty::{Call, Fault, Faulty};
