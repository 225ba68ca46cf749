//! Signing in and out, and the time since the sign-in.

use std::sync::Arc;
use std::time::Duration;

use super::data::{HasIdentity, SessionData};
use super::{Session, Ticket};
use crate::error::{SignInNotRecent, StoreError};
use crate::request::ending::SignedOut;
use crate::request::session::RequestSession;
use crate::stages::awaited;
use crate::stages::run_to_end::AwaitedCall;

impl<T: SessionData> Session<T> {
    /// Signs in: the session gets a new verifier, and the fields are reset except those marked `keep`.
    ///
    /// The sign-in is committed with a response below 400. Fields marked `keep = "sign_in"` stay if the visitor was
    /// anonymous, and so does whatever this request has changed before. Signing in the same identity again rotates too, and
    /// keeps all fields.
    ///
    /// Assigning the identity field does the same, except that an equal identity is not a change.
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
        self.may_have_changed = true;
        self.flush();
        // The same identity is not a change, but signing in rotates all the same.
        if !changed {
            self.slot.with(RequestSession::affirm_identity);
        }
        self.refresh();
    }

    /// Signs in like [`sign_in`](Self::sign_in), unless all sessions of this identity were ended after the ticket was
    /// issued. In that case nothing is committed, and the response is a 409.
    pub fn sign_in_with(&mut self, ticket: Ticket<T>)
    where
        T: HasIdentity,
    {
        self.sign_in(ticket.identity);
        self.slot.with(|session| session.pending.ticket = Some(ticket.proof));
    }

    /// Signs out: removes the identity and all fields not marked `keep`, and gives the session a new verifier.
    ///
    /// The call records the intent; awaiting the future acts on the store. If the future is never awaited, the sign-out is
    /// carried out with the response, whatever the status.
    ///
    /// The result says what was found. [`SignedOut::Superseded`] means that somebody else has signed in to this session
    /// meanwhile.
    ///
    /// # Errors
    /// The store failed. The sign-out is tried again with the response.
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
    /// Time since the user signed in to this session, by the store's clock. `None` if nobody is signed in.
    ///
    /// It is measured when the session is loaded, and is zero after a sign-in in this request.
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

    /// A gate before a sensitive action ("step-up"; OWASP: re-authentication): the user must have signed in within `limit`.
    ///
    /// If it refuses, ask for the password again and [`sign_in`](Self::sign_in) the same identity, which keeps the fields.
    ///
    /// # Errors
    /// The user signed in longer ago, or nobody is signed in.
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
