//! How long ago the user signed in: the question before a sensitive step.

use std::time::Duration;

use super::Session;
use super::data::{HasIdentity, SessionData};
use crate::error::SignInNotRecent;

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
            .with(|live| match (&live.identity, live.entering()) {
                (None, _) => None,
                (Some(_), Some(_)) => Some(Duration::ZERO),
                (Some(_), None) => Some(live.record.ages.identity),
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
