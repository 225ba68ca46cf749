//! The end of a session: what a request asked for, and what became of it.

use crate::decide::Origin;
use http_session_store::SessionId;
use http_session_store::record::{Epoch, RawJson};

/// What became of a session that was to end (R6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Destroyed,
    /// Nobody is signed in there any more.
    Already,
    /// Somebody else is.
    Superseded,
}

/// A session that this request ends.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(crate) origin: Origin,
    pub(crate) id: SessionId,
    /// The epoch whose identity may be ended (R6).
    pub(crate) claimed: Epoch,
    /// The record's epoch, if the cookie fitted it.
    pub(crate) loaded: Option<Epoch>,
    /// Whether somebody was signed in, as far as the request could see.
    pub(crate) identity: bool,
    /// The own attributes of the cookie that the browser has.
    pub(crate) cookie: Option<RawJson>,
    /// What an awaited call found.
    pub(crate) done: Option<Ended>,
}

/// What an awaited sign-out, or the end of a session, found (R6, R11).
///
/// ```
/// # use http_session::error::StoreError;
/// # use http_session::{Session, SignedOut};
/// # #[derive(Session)] struct Visit { #[session(identity)] user: Option<u64> }
/// async fn leave(mut session: Session<Visit>) -> Result<&'static str, StoreError> {
///     Ok(match session.sign_out().await? {
///         SignedOut::Superseded => "somebody else is signed in here now",
///         _ => "good-bye",
///     })
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedOut {
    /// Nobody is signed in here any more, because of this call.
    SignedOut,
    /// Nobody was signed in.
    NotSignedIn,
    /// Another request was first.
    AlreadySignedOut,
    /// Another request signed somebody else in meanwhile; that sign-in was left alone.
    Superseded,
}

impl From<Ended> for SignedOut {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Destroyed => Self::SignedOut,
            Ended::Already => Self::AlreadySignedOut,
            Ended::Superseded => Self::Superseded,
        }
    }
}
