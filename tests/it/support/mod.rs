//! What the tests share: a browser, stores that record or fail, a rig of all of them, and the events of a test.

mod browser;
mod events;
mod faulty;
mod recording;
mod rig;

pub use browser::{Answer, Browser};
pub use events::Events;
pub use faulty::{Call, Fault, Faulty};
pub use recording::Recording;
pub use rig::{Entry, Oops, Open, Pending, Reply, Rig, Store, Visit, minutes, poll_once, seconds, settle, through};

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
