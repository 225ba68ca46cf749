//! What the tests share: a browser, stores that record or fail, a rig of all of them, and the events of a test.

mod browser;
mod events;
mod faulty;
mod numbers;
mod recording;
mod revoking;
mod rig;
mod swapping;
mod watch;

pub use browser::{Answer, Browser};
pub use events::Events;
pub use faulty::{Call, Fault, Faulty};
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
pub type Request = http::Request<http_body_util::Empty<bytes::Bytes>>;

/// The same secret in every test.
pub fn secret() -> Secret {
    http_session::secret!("a secret for tests, of more than 32 bytes")
}

/// Another one.
pub fn other_secret() -> Secret {
    http_session::secret!("another secret for tests, as long as that")
}
