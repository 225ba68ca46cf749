//! Helpers that the tests share: special stores, the rig around them, and the search for leaked secrets.

mod leak_check;
mod recording;
mod revoking;
mod rig;
mod swapping;

pub use http_session_test_kit::{
    Answer, Browser, Call, Events, Fault, Faulty, Numbers, Oops, Request, other_secret, poll_once, secret, settle,
    through, times,
};
pub use leak_check::LeakCheck;
pub use recording::Recording;
pub use revoking::Revoking;
pub use rig::{Open, Pending, Reply, Rig, Store, Visit, Wiring, minutes, seconds, under_way};
pub use swapping::Swapping;
