//! The end of a session: what the handler asked for, and what became of it.

use crate::decide::Origin;
use http_session_store::SessionId;
use http_session_store::record::{Epoch, RawJson};

/// What became of a session that was to end (R6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Destroyed,
    /// Nobody was signed in there any more.
    Already,
    /// Somebody else is signed in there now, and stays so.
    Superseded,
}

/// A session that this request ends.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(crate) origin: Origin,
    pub(crate) id: SessionId,
    /// The epoch of the cookie. The session may be ended while it has the identity of this epoch (R6).
    pub(crate) claimed: Epoch,
    /// The epoch of the record, if the request has loaded it. `None` for a superseded cookie.
    pub(crate) loaded: Option<Epoch>,
    /// Whether somebody was signed in, as far as the request could see.
    pub(crate) was_signed_in: bool,
    /// The session's own attributes of the cookie that the browser has.
    pub(crate) cookie: Option<RawJson>,
    /// What the store answered. `None` until the session has been ended.
    pub(crate) done: Option<Ended>,
}

/// What a sign-out or the end of a session found, as the answer of an awaited call.
///
/// ```
/// # use http_session::error::StoreError;
/// # use http_session::{Session, SignedOut};
/// # #[derive(Session)] struct Visit { #[session(identity)] user: Option<u64> }
/// async fn leave(mut session: Session<Visit>) -> Result<&'static str, StoreError> {
///     Ok(match session.sign_out().await? {
///         SignedOut::Superseded => "somebody else is signed in here now",
///         _ => "you are signed out",
///     })
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedOut {
    /// This call has signed the user out.
    SignedOut,
    /// Nobody was signed in.
    NotSignedIn,
    /// Another request, or an earlier call, had signed the user out already.
    AlreadySignedOut,
    /// Another request has signed somebody else in since the session was loaded. That sign-in stays.
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
