//! A session outside of a request: for work that outlives the response, and for background jobs.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use super::data::SessionData;
use super::flush::{compare, decode};
use crate::config::{ErasedConfig, SessionConfig};
use crate::error::{SaveError, SessionRejection, StoreError, StoreErrorKind};
use crate::request::ending::SignedOut;
use crate::request::slot::{Slot, Window};
use crate::stages::run_to_end::AwaitedCall;
use crate::stages::write::Written;
use crate::stages::{store_call, write};
use http_session_store::record::{Extent, Patch, Record};
use http_session_store::{SessionId, SessionStore};

/// A stored session outside of a request: read it, change it, [`save`](Self::save) it.
///
/// It comes from [`Session::detach`](super::Session::detach), [`SessionConfig::load`](crate::SessionConfig::load) or
/// [`SessionConfig::sessions_of`](crate::SessionConfig::sessions_of). It dereferences to `T`. Unlike a
/// [`Session`](super::Session), it writes nothing when it is dropped. It has no cookie, so it can neither sign in nor
/// rotate, and it refuses a change of the identity.
///
/// ```
/// # use http_session::error::SaveError;
/// # use http_session::{DetachedSession, Session};
/// # #[derive(Session)] struct Visit { notice: Option<String> }
/// async fn finish(mut session: DetachedSession<Visit>) -> Result<(), SaveError> {
///     session.notice = Some("your export is ready".into());
///     session.save().await
/// }
/// ```
#[must_use = "a detached session does nothing until it is saved"]
pub struct DetachedSession<T: SessionData> {
    value: T,
    record: Record,
    id: SessionId,
    config: Arc<ErasedConfig>,
}

impl<T: SessionData> DetachedSession<T> {
    pub(crate) fn of(slot: &Slot) -> Option<Self> {
        let (id, record) = slot.with(|session| {
            session.loaded.id.clone().filter(|_| session.is_settled()).map(|id| (id, session.loaded.record.clone()))
        })??;
        Self::open(Arc::clone(&slot.config), id, record).ok()
    }

    pub(crate) fn open(config: Arc<ErasedConfig>, id: SessionId, record: Record) -> Result<Self, SessionRejection> {
        let window = Window { fields: record.fields.clone(), identity: record.identity.clone(), view: 0 };
        Ok(Self { value: decode(&window)?, record, id, config })
    }

    /// The session's id.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.id
    }

    /// Time left until the session expires, by the store's clock, measured when the session was loaded.
    #[must_use]
    pub const fn expires_in(&self) -> Duration {
        self.record.expires_in
    }

    /// Time since a write or a touch last extended the session, measured when the session was loaded.
    #[must_use]
    pub const fn last_access(&self) -> Duration {
        self.record.ages.touched
    }

    /// Time since the user signed in, measured when the session was loaded. `None` if nobody is signed in.
    #[must_use]
    pub fn since_sign_in(&self) -> Option<Duration> {
        self.record.identity.as_ref().map(|_| self.record.ages.identity)
    }

    /// Stores the changes, as one conditional write. A session that was ended or rotated meanwhile is left alone. The write
    /// does not count as activity: the session expires no later than before.
    ///
    /// # Errors
    /// The changes were not written; see [`SaveError`]. [`SaveError::IdentityPending`] means that the identity field was
    /// changed. The changes stay in the value, so `save` can be called again. After
    /// [`StoreErrorKind::Unknown`](crate::error::StoreErrorKind::Unknown) the first write may have happened.
    pub async fn save(&mut self) -> Result<(), SaveError> {
        let changes = compare(&self.value, &self.record.fields, self.record.identity.as_ref(), T::encode);
        if changes.identity.is_some() {
            return Err(SaveError::IdentityPending);
        }
        if changes.unencodable {
            return Err(SaveError::Unencodable);
        }
        if changes.changed().is_empty() {
            return Ok(());
        }
        let mut patch = Patch::unchanged(&self.record);
        patch.result = changes.apply_to(&self.record.fields);
        changes.changed().iter().for_each(|field| patch.write(field));
        let (config, id, record) = (Arc::clone(&self.config), self.id.clone(), self.record.clone());
        let lifetime =
            config.lifetimes(config.own_lifetimes(record.cookie.as_ref())).lifetime(Extent::Extend).unchanged();
        match AwaitedCall::new(async move { write::apply_patch(&config, &id, &record, patch, lifetime).await }).await? {
            Written::Applied { fields, .. } => {
                self.record.fields = fields;
                Ok(())
            }
            Written::Missing => Err(SaveError::Missing),
            Written::Superseded => Err(SaveError::Superseded),
        }
    }

    /// Ends the session, unless somebody else has signed in to it since it was loaded.
    ///
    /// # Errors
    /// The store failed.
    pub async fn destroy(self) -> Result<SignedOut, StoreError> {
        let Self { config, id, record, .. } = self;
        let end = async move { write::end_session(&config, &id, record.epoch, Some(record.epoch)).await };
        AwaitedCall::new(end).await.map(SignedOut::from)
    }
}

impl<T: SessionData> Deref for DetachedSession<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: SessionData> DerefMut for DetachedSession<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: SessionData> fmt::Debug for DetachedSession<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DetachedSession(..)")
    }
}

impl<S: SessionStore> SessionConfig<S> {
    /// Loads a stored session by its id, outside of a request: for background jobs. `None` if there is no such session: it
    /// was destroyed, has expired, or never existed. Loading does not count as activity.
    ///
    /// # Errors
    /// The store failed, or `T` cannot read the session because the identity or a required field does not decode
    /// ([`StoreErrorKind::Corrupt`]).
    ///
    /// ```
    /// # use http_session::error::SaveError;
    /// # use http_session::{MemoryStore, Session, SessionConfig, SessionId};
    /// # #[derive(Session)] struct Visit { notice: Option<String> }
    /// # async fn job(sessions: SessionConfig<MemoryStore>, id: SessionId) -> Result<(), SaveError> {
    /// if let Some(mut session) = sessions.load::<Visit>(&id).await? {
    ///     session.notice = Some("your export is ready".into());
    ///     session.save().await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn load<T: SessionData>(&self, id: &SessionId) -> Result<Option<DetachedSession<T>>, StoreError> {
        let record = store_call::load(&self.config, id).await?;
        match record {
            Some(record) if !record.is_tombstone() => {
                DetachedSession::open(Arc::clone(&self.config), id.clone(), record)
                    .map(Some)
                    .map_err(|_| StoreError::new(StoreErrorKind::Corrupt))
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Destroys a session by its id, outside of a request, whoever is signed in. It is not an error if there is no such
    /// session. Once begun, the call runs to its end, even if the future is dropped.
    ///
    /// # Errors
    /// The store failed.
    pub async fn destroy(&self, id: &SessionId) -> Result<(), StoreError> {
        let (config, id) = (Arc::clone(&self.config), id.clone());
        AwaitedCall::new(async move { store_call::destroy(&config, &id, None).await }).await.map(drop)
    }
}
