//! What the tests of this workspace share. Never published.
#![allow(
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    unnameable_types,
    clippy::unwrap_used,
    clippy::exhaustive_structs,
    clippy::exhaustive_enums,
    clippy::indexing_slicing,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "a test may panic, and nobody else links to it"
)]

mod events;
mod flawed;
mod folder;
mod numbers;
pub mod servers;
mod support;

pub use events::Events;
pub use flawed::{Flaw, Flawed};
pub use folder::Folder;
pub use http_session::testing::{Answer, Browser, Call, Fault, Faulty};
pub use numbers::Numbers;
pub use support::{Oops, Request, other_secret, poll_once, secret, settle, through, times};

use std::sync::OnceLock;

use http_session_store::conformance::{Outcome, Report};

/// Every check was kept, and not one was skipped.
pub fn assert_all_kept(report: &Report) {
    report.assert();
    let skipped = report.findings().iter().filter(|finding| matches!(finding.outcome, Outcome::Skipped(_)));
    assert_eq!(skipped.map(|finding| finding.sentence).collect::<Vec<_>>(), [""; 0]);
}

/// A name that no other test has, in this process or another. It is random, since in containers process ids repeat.
pub fn name_of(test: &str) -> String {
    static RANDOM: OnceLock<u64> = OnceLock::new();
    format!("test_{test}_{:016x}", RANDOM.get_or_init(rand::random))
}
