//! What a program decides once: secret, store, cookie, lifetimes, policy. Checked by the compiler in [`Builder`], and fixed
//! from then on.

pub mod builder;
pub mod cookie;
mod core;
mod index;
pub(crate) mod path;
mod policy;
mod secret;
mod settings;
pub(crate) mod transport;

use std::fmt;
use std::sync::Arc;

pub use builder::Builder;
pub use cookie::Cookie;
pub(crate) use core::{CookieKeys, Core, OwnLifetimes};
pub use policy::{Activity, StoredAttributes};
pub use secret::{ExpressSecret, Secret};
pub use settings::Lifetimes;
pub(crate) use settings::Settings;
pub use transport::{Transport, TrustedProxy};

pub use crate::decide::{CommitOn, Removal, Resave, SaveUninitialized, Unset};
pub use crate::token::express::IdShape;

use crate::error::{StoreError, StoreErrorKind};
use crate::session::immediate::Call;
use crate::session::{DetachedSession, SessionData};
use crate::store::SessionId;
use crate::store::SessionStore;

/// A finished configuration: cheap to clone, shared by all services made of it.
///
/// Made by [`SessionConfig::builder`], [`SessionConfig::express`] or [`SessionConfig::development`].
///
/// ```
/// use http_session::{MemoryStore, Secret, SessionConfig};
///
/// let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
/// let shared = sessions.clone(); // the same secret and the same store
/// ```
#[doc(alias = "SessionManagerLayer")]
pub struct SessionConfig<S> {
    pub(crate) core: Arc<Core>,
    store: Arc<S>,
}

impl<S: SessionStore> SessionConfig<S> {
    fn new(secret: &Secret, store: S, settings: Settings) -> Self {
        let store = Arc::new(store);
        Self { core: Arc::new(Core::new(secret, Arc::new(Arc::clone(&store)), settings)), store }
    }

    /// The store, for what the middleware does not do: counting sessions, clearing them.
    ///
    /// ```
    /// use http_session::store::EnumerateSessions;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    ///
    /// assert_eq!(sessions.store().len().await?, 0);
    /// # Ok::<_, http_session::error::StoreError>(())
    /// # })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    /// A stored session outside of a request, by its id: for background work. It is no activity. `None` when there is none,
    /// or it was destroyed or has expired.
    ///
    /// # Errors
    /// The store failed, or the identity or a required field does not decode as `T` has it ([`StoreErrorKind::Corrupt`]).
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
        let record = self.core.load_record(id).await?;
        match record {
            Some(record) if !record.is_tombstone() => DetachedSession::open(Arc::clone(&self.core), id.clone(), record)
                .map(Some)
                .map_err(|_| StoreError::new(StoreErrorKind::Corrupt)),
            Some(_) | None => Ok(None),
        }
    }

    /// Destroys a session outside of a request, whoever is signed in there. One that is not there is no error. Once begun it
    /// runs to its end, even if the future is dropped.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session::error::StoreError;
    /// # use http_session::{MemoryStore, SessionConfig, SessionId};
    /// # async fn lock_out(sessions: SessionConfig<MemoryStore>, stolen: SessionId) -> Result<(), StoreError> {
    /// sessions.destroy(&stolen).await?;
    /// # Ok(()) }
    /// ```
    pub async fn destroy(&self, id: &SessionId) -> Result<(), StoreError> {
        let (core, id) = (Arc::clone(&self.core), id.clone());
        Call::new(async move { core.destroy_record(&id, None).await }).await.map(drop)
    }
}

impl<S> Clone for SessionConfig<S> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), store: Arc::clone(&self.store) }
    }
}

impl<S> fmt::Debug for SessionConfig<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionConfig").field("cookie", &self.core.cookie_name()).finish_non_exhaustive()
    }
}
