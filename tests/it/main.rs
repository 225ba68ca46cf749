//! All integration tests, in one binary: each further binary would link the library and its dependencies once more.
//!
//! Start with `smoke`, then `support::rig`, which most tests are built on. The name of a test begins with the ids of
//! the rules that it checks.
#![allow(
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::must_use_candidate,
    reason = "a test may panic, and nobody depends on its items"
)]

mod bad_input;
mod concurrency;
mod conformance;
mod csrf;
mod down;
mod evolution;
mod express;
mod golden;
mod histories;
mod http_rules;
mod identity;
mod index;
mod interleavings;
mod layers;
mod leaks;
mod leaving;
mod lifetimes;
mod model;
mod observe;
mod outcomes;
mod peers;
mod plumbing;
mod regressions;
mod rules;
mod smoke;
mod stores;
mod support;
mod testing;
