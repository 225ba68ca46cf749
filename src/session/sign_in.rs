//! Signing in and out, and how long ago the user signed in.

use std::sync::Arc;
use std::time::Duration;

use super::data::{HasIdentity, SessionData};
use super::{Access, Session, SignedOut, Ticket};
use crate::error::{SignInNotRecent, StoreError};
use crate::request::session::RequestSession;
use crate::stages::awaited;
use crate::stages::run_to_end::AwaitedCall;

impl<T: SessionData> Session<T> {
    /// Signs in: a new verifier, and fields that start afresh but for those marked `keep` (R5). Committed with a response
    /// below 400 (R11). Signing in the same identity again rotates too, and keeps the fields.
    ///
    /// Setting the identity field does the same, but for an equal identity, which is no change. An anonymous visitor's fields
    /// marked `keep = "sign_in"` come along, and so does whatever this request has changed before.
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64, #[session(identity)] user: Option<u64> }
    /// # fn handler(mut session: http_session::Session<Visit>) {
    /// session.sign_in(42);
    /// session.views = 1; // in the session of user 42
    /// # }
    /// ```
    pub fn sign_in(&mut self, identity: T::Identity)
    where
        T: HasIdentity,
    {
        self.flush();
        self.refresh();
        *self.value.identity_mut() = Some(identity);
        let changed = self.changes().identity.is_some();
        self.mutable = Access::Written;
        self.flush();
        if !changed {
            self.slot.with(RequestSession::affirm_identity);
        }
        self.refresh();
    }

    /// Signs in as [`sign_in`](Self::sign_in) does, unless all sessions of this identity were ended since the ticket was given:
    /// then the response is a 409, and nothing is committed (R28).
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64, #[session(identity)] user: Option<u64> }
    /// # fn handler(mut session: http_session::Session<Visit>, ticket: http_session::Ticket<Visit>) {
    /// session.sign_in_with(ticket);
    /// # }
    /// ```
    pub fn sign_in_with(&mut self, ticket: Ticket<T>)
    where
        T: HasIdentity,
    {
        self.sign_in(ticket.identity);
        self.slot.with(|session| session.pending.ticket = Some(ticket.pass));
    }

    /// Signs out: the identity and all fields not marked `keep` are gone, and the verifier is new. Recorded now, done in the
    /// store when awaited, else with the response, whatever its status (R11).
    ///
    /// The answer tells what was found; [`SignedOut::Superseded`] means that somebody else is signed in now.
    ///
    /// # Errors
    /// The store failed; it is tried again with the response.
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { views: u64, #[session(identity)] user: Option<u64> }
    /// # async fn leave(mut session: http_session::Session<Visit>) -> Result<(), http_session::error::StoreError> {
    /// session.sign_out().await?;
    /// assert_eq!(session.user, None);
    /// # Ok(()) }
    /// ```
    pub fn sign_out(&mut self) -> impl Future<Output = Result<SignedOut, StoreError>> + '_
    where
        T: HasIdentity,
    {
        self.flush();
        awaited::ask_sign_out(&self.slot);
        self.refresh();
        let work = AwaitedCall::new(awaited::sign_out(Arc::clone(&self.slot)));
        async move {
            let result = work.await;
            self.flush();
            self.refresh();
            result
        }
    }
}

impl<T: SessionData> Session<T> {
    /// Time since the user signed in to this session (R7), by the store's clock, as it was when the session was loaded. Zero after a
    /// sign-in in this request; `None` when nobody is signed in.
    ///
    /// ```
    /// # #[derive(http_session::Session)] struct Visit { #[session(identity)] user: Option<u64> }
    /// # fn handler(session: http_session::Session<Visit>) {
    /// let text = session.since_sign_in().map(|since| format!("signed in {} minutes ago", since.as_secs() / 60));
    /// # }
    /// ```
    #[must_use]
    pub fn since_sign_in(&self) -> Option<Duration>
    where
        T: HasIdentity,
    {
        self.settle_identity();
        self.slot
            .with(|session| match (&session.pending.identity, session.entering()) {
                (None, _) => None,
                (Some(_), Some(_)) => Some(Duration::ZERO),
                (Some(_), None) => Some(session.loaded.record.ages.identity),
            })
            .flatten()
    }

    /// A gate before a sensitive step (OWASP: re-authentication; "step-up"): the user must have signed in within `limit`. If not,
    /// ask for the password again and [`sign_in`](Self::sign_in) the same identity, which keeps the fields.
    ///
    /// # Errors
    /// The sign-in is longer ago, or nobody is signed in.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::Session;
    /// # use http_session::error::SignInNotRecent;
    /// # #[derive(Session)] struct Visit { #[session(identity)] user: Option<u64> }
    /// async fn change_email(session: Session<Visit>) -> Result<(), SignInNotRecent> {
    ///     session.require_recent(Duration::from_secs(15 * 60))?;
    ///     // ..
    ///     Ok(())
    /// }
    /// ```
    pub fn require_recent(&self, limit: Duration) -> Result<(), SignInNotRecent>
    where
        T: HasIdentity,
    {
        match self.since_sign_in() {
            Some(since) if since <= limit => Ok(()),
            Some(_) | None => Err(SignInNotRecent::new()),
        }
    }
}
