//! All integration tests, in one binary.
#![allow(
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::must_use_candidate,
    reason = "a test may panic, and nobody links to it"
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
