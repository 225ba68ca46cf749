//! A session without a request: work that outlives the response, background jobs.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use super::data::SessionData;
use super::flush::{compare, decode};
use super::immediate::{Call, SignedOut};
use super::slot::{Slot, Window};
use crate::config::Core;
use crate::error::{SaveError, SessionRejection, StoreError};
use crate::middleware::write::Written;
use crate::record::{Extent, Patch, Record};
use crate::store::SessionId;

/// A stored session outside of a request: read it, change it, [`save`](Self::save) it.
///
/// It has no cookie: it can neither sign in nor rotate, and a change of the identity is refused. Made by
/// [`Session::detach`](super::Session::detach) and [`SessionConfig::load`](crate::SessionConfig::load). It derefs to `T`;
/// unlike a [`Session`](super::Session) it writes nothing when it is dropped.
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
    core: Arc<Core>,
}

impl<T: SessionData> DetachedSession<T> {
    pub(crate) fn of(slot: &Slot) -> Option<Self> {
        let (id, record) =
            slot.with(|live| live.id.clone().filter(|_| live.is_settled()).map(|id| (id, live.record.clone())))??;
        Self::open(Arc::clone(&slot.core), id, record).ok()
    }

    pub(crate) fn open(core: Arc<Core>, id: SessionId, record: Record) -> Result<Self, SessionRejection> {
        let window = Window { fields: record.fields.clone(), identity: record.identity.clone(), view: 0 };
        Ok(Self { value: decode(&window)?, record, id, core })
    }

    /// The session's id.
    ///
    /// ```
    /// # use http_session::error::SaveError;
    /// # use http_session::{DetachedSession, Session};
    /// # #[derive(Session)] struct Visit { views: u64 }
    /// # async fn job(session: DetachedSession<Visit>) -> Result<(), SaveError> {
    /// let note = format!("resume:{}", session.id().as_str());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.id
    }

    /// Time left until the session expires, by the store's clock, as it was when the session was loaded.
    ///
    /// ```
    /// # use http_session::{DetachedSession, Session};
    /// # #[derive(Session)] struct Visit { views: u64 }
    /// # fn job(session: &DetachedSession<Visit>) {
    /// let minutes_left = session.expires_in().as_secs() / 60;
    /// # }
    /// ```
    #[must_use]
    pub const fn expires_in(&self) -> Duration {
        self.record.expires_in
    }

    /// Time since a write or a touch last prolonged the session, as it was when the session was loaded.
    ///
    /// ```
    /// # use http_session::{DetachedSession, Session};
    /// # #[derive(Session)] struct Visit { views: u64 }
    /// # fn job(session: &DetachedSession<Visit>) {
    /// let is_active = session.last_access().as_secs() < 300;
    /// # }
    /// ```
    #[must_use]
    pub const fn last_access(&self) -> Duration {
        self.record.ages.touched
    }

    /// Time since the user signed in, as it was when the session was loaded; `None` when nobody is.
    ///
    /// ```
    /// # use http_session::{DetachedSession, Session};
    /// # #[derive(Session)] struct Visit { views: u64 }
    /// # fn job(session: &DetachedSession<Visit>) {
    /// let days = session.since_sign_in().map(|since| since.as_secs() / 86_400);
    /// # }
    /// ```
    #[must_use]
    pub fn since_sign_in(&self) -> Option<Duration> {
        self.record.identity.as_ref().map(|_| self.record.ages.identity)
    }

    /// Stores what changed, as one conditional write; a session that was ended or rotated meanwhile is left alone. It is no
    /// activity: the session's end stays where it is.
    ///
    /// # Errors
    /// The write did not happen; see [`SaveError`]. [`SaveError::IdentityPending`] when the identity field was changed. The
    /// changes stay in the value, so `save` may be called again; after
    /// [`StoreErrorKind::Unknown`](crate::error::StoreErrorKind::Unknown) the first may have happened (R10).
    ///
    /// ```
    /// # use http_session::error::SaveError;
    /// # use http_session::{DetachedSession, Session};
    /// # #[derive(Session)] struct Visit { views: u64 }
    /// # async fn job(mut session: DetachedSession<Visit>) -> Result<(), SaveError> {
    /// session.views += 1;
    /// session.save().await?;
    /// # Ok(()) }
    /// ```
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
        let (core, id, record) = (Arc::clone(&self.core), self.id.clone(), self.record.clone());
        let lifetime = core.lifetimes(core.own_lifetimes(record.cookie.as_ref())).lifetime(Extent::Extend).unchanged();
        match Call::new(async move { core.update(&id, &record, patch, lifetime).await }).await? {
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
    ///
    /// ```
    /// # use http_session::error::StoreError;
    /// # use http_session::{DetachedSession, Session};
    /// # #[derive(Session)] struct Visit { views: u64 }
    /// # async fn job(session: DetachedSession<Visit>) -> Result<(), StoreError> {
    /// session.destroy().await?;
    /// # Ok(()) }
    /// ```
    pub async fn destroy(self) -> Result<SignedOut, StoreError> {
        let Self { core, id, record, .. } = self;
        let end = async move { core.end(&id, record.epoch, Some(record.epoch)).await };
        Call::new(end).await.map(SignedOut::from)
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
