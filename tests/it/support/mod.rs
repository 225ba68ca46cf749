//! What the tests share: a store that records, a rig around it, and the events of a test.

mod recording;
mod revoking;
mod rig;
mod swapping;
mod watch;

pub use http_session_test_kit::{
    Answer, Browser, Call, Events, Fault, Faulty, Numbers, Oops, Request, other_secret, poll_once, secret, settle,
    through, times,
};
pub use recording::Recording;
pub use revoking::Revoking;
pub use rig::{Entry, Open, Pending, Reply, Rig, Store, Visit, minutes, seconds, under_way};
pub use swapping::Swapping;
pub use watch::Watch;
