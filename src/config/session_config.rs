//! The finished configuration.

use std::fmt;
use std::sync::Arc;

use super::erased::ErasedConfig;
use super::settings::Settings;
use crate::token::Secret;
use http_session_store::SessionStore;

/// A finished configuration, shared by all services and layers that are made from it. Cloning it is cheap.
///
/// Build one with [`SessionConfig::builder`], [`SessionConfig::express`] or [`SessionConfig::development`].
#[doc(alias = "SessionManagerLayer")]
pub struct SessionConfig<S> {
    pub(crate) config: Arc<ErasedConfig>,
    store: Arc<S>,
}

impl<S: SessionStore> SessionConfig<S> {
    pub(super) fn new(secret: &Secret, store: S, settings: Settings) -> Self {
        let store = Arc::new(store);
        Self { config: Arc::new(ErasedConfig::new(secret, Arc::new(Arc::clone(&store)), settings)), store }
    }

    /// Returns the store, for tasks beside the middleware, such as counting or clearing sessions.
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
}

impl<S> Clone for SessionConfig<S> {
    fn clone(&self) -> Self {
        Self { config: Arc::clone(&self.config), store: Arc::clone(&self.store) }
    }
}

impl<S> fmt::Debug for SessionConfig<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionConfig").field("cookie", &self.config.cookie_name()).finish_non_exhaustive()
    }
}
