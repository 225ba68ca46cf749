//! Sessions by their identity: one's devices, "log out everywhere" (R28).

use std::sync::Arc;

use super::{DetachedSession, HasIdentity, Session, Ticket};
use crate::config::SessionConfig;
use crate::error::{SaveError, StoreError, StoreErrorKind};
use crate::stages::run_to_end::AwaitedCall;
use crate::stages::{destroy_others, index};
use http_session_store::record::RawJson;
use http_session_store::{HasIndex, SessionStore};

impl<S: SessionStore> SessionConfig<S> {
    /// All sessions of a user, each with what the application stored in it, its [`id`](DetachedSession::id) and its
    /// [times](DetachedSession::last_access): for a page that shows one's devices. Looking is no activity. A session that cannot be
    /// read as `T` is left out, with an event `session.field.undecodable` (R16).
    ///
    /// # Errors
    /// The store failed, or one of the records is none that it can read ([`StoreErrorKind::Corrupt`]).
    ///
    /// ```
    /// # use http_session::{HasIdentity, Session, SessionConfig, SessionStore};
    /// # use http_session::error::StoreError;
    /// # use http_session::store::HasIndex;
    /// #[derive(Session)]
    /// struct Visit {
    ///     #[session(identity)]
    ///     user: Option<u64>,
    ///     device: String, // set at sign-in, from the User-Agent
    /// }
    ///
    /// async fn devices<S>(sessions: &SessionConfig<S>, user: u64) -> Result<Vec<String>, StoreError>
    /// where
    ///     S: SessionStore + HasIndex,
    /// {
    ///     let sessions = sessions.sessions_of::<Visit>(&user).await?;
    ///     Ok(sessions.iter().map(|session| format!("{}, {:?} ago", session.device, session.last_access())).collect())
    /// }
    /// ```
    #[doc(alias = "all")]
    pub async fn sessions_of<T: HasIdentity>(
        &self,
        identity: &T::Identity,
    ) -> Result<Vec<DetachedSession<T>>, StoreError>
    where
        S: HasIndex,
    {
        let records = index::records_of(&self.config, &json::<T>(identity)?).await?;
        let open = |(id, record)| DetachedSession::open(Arc::clone(&self.config), id, record).ok();
        Ok(records.into_iter().filter_map(open).collect())
    }

    /// Ends all sessions of a user, and answers how many there were: after a new password, or when an account is closed. A
    /// sign-in that is under way does not survive it, unless it begins after this call: give it a
    /// [`ticket`](Self::ticket) from before its password was checked. Runs to its end once begun, even if the future is dropped.
    ///
    /// # Errors
    /// The store failed; sessions may be left, and calling it again ends them. One that the store cannot read
    /// ([`StoreErrorKind::Corrupt`]) is left, and all others are ended.
    ///
    /// ```
    /// # use http_session::{HasIdentity, Session, SessionConfig, SessionStore};
    /// # use http_session::error::StoreError;
    /// # use http_session::store::HasIndex;
    /// # #[derive(Session)] struct Visit { #[session(identity)] user: Option<u64> }
    /// # async fn close_account<S: SessionStore + HasIndex>(sessions: &SessionConfig<S>, user: u64) -> Result<(), StoreError> {
    /// let ended = sessions.destroy_all_of::<Visit>(&user).await?;
    /// # Ok(()) }
    /// ```
    #[doc(alias = "logout_everywhere")]
    pub async fn destroy_all_of<T: HasIdentity>(&self, identity: &T::Identity) -> Result<usize, StoreError>
    where
        S: HasIndex,
    {
        let (config, identity) = (Arc::clone(&self.config), json::<T>(identity)?);
        AwaitedCall::new(async move { index::end_all(&config, &identity, None).await }).await
    }

    /// Ends all other sessions of the user who is signed in here, and answers how many there were. This session gets a new
    /// verifier first, so that a copy of its cookie is useless too.
    ///
    /// # Errors
    /// [`SaveError::Superseded`] or [`SaveError::Missing`] when this session was rotated or ended by another request: then the
    /// others are left alone. [`SaveError::NotSignedIn`], [`SaveError::IdentityPending`] when nobody is signed in here, or not
    /// yet. [`SaveError::Store`]: sessions may be left, and calling it again ends them.
    ///
    /// ```
    /// # use http_session::{Session, SessionConfig, SessionStore};
    /// # use http_session::error::SaveError;
    /// # use http_session::store::HasIndex;
    /// # #[derive(Session)] struct Visit { #[session(identity)] user: Option<u64> }
    /// # async fn handler<S>(sessions: &SessionConfig<S>, mut session: Session<Visit>) -> Result<(), SaveError>
    /// # where S: SessionStore + HasIndex {
    /// let ended = sessions.destroy_others(&mut session).await?;
    /// # Ok(()) }
    /// ```
    pub async fn destroy_others<T: HasIdentity>(&self, session: &mut Session<T>) -> Result<usize, SaveError>
    where
        S: HasIndex,
    {
        session.flush();
        // Not only afterwards, as in `save`: this call may be given up.
        session.refresh();
        let result = AwaitedCall::new(destroy_others::destroy_others(Arc::clone(&session.slot))).await;
        session.refresh();
        result
    }

    /// Notes, before a password is checked, how things stand with a user's sessions; for
    /// [`sign_in_with`](Session::sign_in_with).
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session::{Session, SessionConfig, SessionStore};
    /// # use http_session::error::StoreError;
    /// # use http_session::store::HasIndex;
    /// # #[derive(Session)] struct Visit { #[session(identity)] user: Option<u64> }
    /// # async fn handler<S>(sessions: &SessionConfig<S>, mut session: Session<Visit>) -> Result<(), StoreError>
    /// # where S: SessionStore + HasIndex {
    /// let ticket = sessions.ticket(42).await?;
    /// // check the password of user 42, then:
    /// session.sign_in_with(ticket);
    /// # Ok(()) }
    /// ```
    pub async fn ticket<T: HasIdentity>(&self, identity: T::Identity) -> Result<Ticket<T>, StoreError>
    where
        S: HasIndex,
    {
        let pass = index::pass(&self.config, &json::<T>(&identity)?).await?;
        Ok(Ticket { identity, pass })
    }
}

/// The identity as a record has it.
fn json<T: HasIdentity>(identity: &T::Identity) -> Result<RawJson, StoreError> {
    let mut json = Vec::new();
    T::identity_json(identity, &mut json).map_err(|_| StoreError::new(StoreErrorKind::Refused))?;
    Ok(RawJson::new(&json))
}
