//! What the tests share: a store that records, a rig around it, and the events of a test.

mod events;
mod recording;
mod rig;

pub use events::Events;
pub use http_session::testing::{Answer, Browser, Call, Fault, Faulty};
pub use recording::Recording;
pub use rig::{Entry, Oops, Open, Reply, Rig, Store, Visit, minutes, poll_once, seconds, settle, through};

use http_session::Secret;

/// A request without a body.
pub type Request = http::Request<String>;

/// The same secret in every test.
pub fn secret() -> Secret {
    http_session::secret!("a secret for tests, of more than 32 bytes")
}

/// Another one.
pub fn other_secret() -> Secret {
    http_session::secret!("another secret for tests, as long as that")
}
