//! For tests of a service: a [`Browser`] with a cookie jar, a store that fails on command ([`Faulty`]), and a clock that
//! stands still until you advance it ([`ManualClock`]). Needs the crate feature `test-support`, which belongs in
//! `[dev-dependencies]`.
//!
//! The chapter [testing](crate::guide::testing) of the manual shows them together. To test a store of your own, use
//! [`conformance`](crate::store::conformance).

mod answer;
mod browser;
mod faulty;

pub use crate::clock::ManualClock;
pub use answer::Answer;
pub use browser::Browser;
pub use faulty::{Call, Fault, Faulty};
