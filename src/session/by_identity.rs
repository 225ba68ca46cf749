//! All sessions of a user: a page of devices, "log out everywhere".

use std::sync::Arc;

use super::{DetachedSession, HasIdentity, Session, Ticket};
use crate::config::SessionConfig;
use crate::error::{SaveError, StoreError, StoreErrorKind};
use crate::stages::run_to_end::AwaitedCall;
use crate::stages::{destroy_others, index};
use http_session_store::record::RawJson;
use http_session_store::{HasIndex, SessionStore};

impl<S: SessionStore> SessionConfig<S> {
    /// All sessions of a user, for a page that lists the user's devices.
    ///
    /// Each has what the application stored in it, its [`id`](DetachedSession::id), and its
    /// [times](DetachedSession::last_access). Listing does not count as activity. A session that `T` cannot read is left
    /// out, with an event `session.field.undecodable`.
    ///
    /// # Errors
    /// The store failed, or it cannot read one of the records ([`StoreErrorKind::Corrupt`]).
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

    /// Ends all sessions of a user and returns how many there were: after a password reset, or when an account is closed.
    ///
    /// A sign-in that is under way at the same moment does not survive, unless it begins only after this call. To cover the
    /// time from the check of its password on, sign in with a [`ticket`](Self::ticket). Once begun, the call runs to its
    /// end, even if the future is dropped.
    ///
    /// # Errors
    /// The store failed. Some sessions may be left; calling it again ends them. A session that the store cannot read
    /// ([`StoreErrorKind::Corrupt`]) is left, and all others are ended.
    #[doc(alias = "logout_everywhere")]
    pub async fn destroy_all_of<T: HasIdentity>(&self, identity: &T::Identity) -> Result<usize, StoreError>
    where
        S: HasIndex,
    {
        let (config, identity) = (Arc::clone(&self.config), json::<T>(identity)?);
        AwaitedCall::new(async move { index::end_all(&config, &identity, None).await }).await
    }

    /// Ends all other sessions of the user who is signed in here, and returns how many there were. This session gets a new
    /// verifier first, so a copy of its cookie becomes useless too.
    ///
    /// # Errors
    /// - [`SaveError::Superseded`], [`SaveError::Missing`]: another request rotated or ended this session. The other
    ///   sessions are left alone.
    /// - [`SaveError::NotSignedIn`], [`SaveError::IdentityPending`]: nobody is signed in here, or the sign-in is not
    ///   committed yet.
    /// - [`SaveError::Store`]: some sessions may be left; calling it again ends them.
    pub async fn destroy_others<T: HasIdentity>(&self, session: &mut Session<T>) -> Result<usize, SaveError>
    where
        S: HasIndex,
    {
        session.flush();
        // Before the call too, as in `save`: this future may be dropped while the call goes on.
        session.refresh();
        let result = AwaitedCall::new(destroy_others::destroy_others(Arc::clone(&session.slot))).await;
        session.refresh();
        result
    }

    /// Issues a ticket for a sign-in, before the password is checked. Use it with [`sign_in_with`](Session::sign_in_with);
    /// [`Ticket`] has an example.
    ///
    /// # Errors
    /// The store failed.
    pub async fn ticket<T: HasIdentity>(&self, identity: T::Identity) -> Result<Ticket<T>, StoreError>
    where
        S: HasIndex,
    {
        let proof = index::pass(&self.config, &json::<T>(&identity)?).await?;
        Ok(Ticket { identity, proof })
    }
}

/// The identity as records store it.
fn json<T: HasIdentity>(identity: &T::Identity) -> Result<RawJson, StoreError> {
    let mut json = Vec::new();
    T::identity_json(identity, &mut json).map_err(|_| StoreError::new(StoreErrorKind::Refused))?;
    Ok(RawJson::new(&json))
}
