//! What the tests share: a store that records, a rig around it, and the events of a test.

mod events;
mod numbers;
mod recording;
mod revoking;
mod rig;
mod swapping;
mod watch;

pub use events::Events;
pub use http_session::testing::{Answer, Browser, Call, Fault, Faulty};
pub use numbers::Numbers;
pub use recording::Recording;
pub use revoking::Revoking;
pub use rig::{
    Entry, Oops, Open, Pending, Reply, Rig, Store, Visit, minutes, poll_once, seconds, settle, through, under_way,
};
pub use swapping::Swapping;
pub use watch::Watch;

use http_session::Secret;

/// A request without a body.
pub type Request = http::Request<String>;

/// How often a long test repeats itself: in full with `CI=true`, where the tests are optimised too, else a tenth of it.
pub fn times(full: u64) -> u64 {
    if std::env::var_os("CI").is_some_and(|ci| ci == "true") { full } else { full / 10 }
}

/// The same secret in every test.
pub fn secret() -> Secret {
    http_session::secret!("a secret for tests, of more than 32 bytes")
}

/// Another one.
pub fn other_secret() -> Secret {
    http_session::secret!("another secret for tests, as long as that")
}
