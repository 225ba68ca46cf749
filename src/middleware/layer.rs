//! `sessions.layer()`.

use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use super::SessionService;
use crate::config::{ErasedConfig, SessionConfig};
use http_session_store::SessionStore;

/// A tower layer that gives requests a session. Made by [`SessionConfig::layer`].
///
/// Handlers below reach it as an axum extractor, or with [`Session::extract`](crate::Session::extract). A session
/// that nobody asks for is not loaded.
///
/// Installed twice, the outer one serves both. A layer of another configuration inside has a session and a cookie of its
/// own, and that is what the handlers below it see.
///
/// ```
/// use tower::{Layer, ServiceBuilder, service_fn};
/// # use http::{Request, Response};
/// # use http_session::{MemoryStore, Secret, Session, SessionConfig};
/// # let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
///
/// let hello = service_fn(async |_: Request<String>| Ok::<_, ()>(Response::new("hello".to_owned())));
/// let service = ServiceBuilder::new().layer(sessions.layer()).service(hello);
/// ```
#[doc(alias = "SessionManagerLayer")]
#[derive(Clone)]
pub struct SessionLayer {
    config: Arc<ErasedConfig>,
}

impl<S: SessionStore> SessionConfig<S> {
    /// A layer for tower and axum.
    ///
    /// ```
    /// use http_session::{MemoryStore, Secret, SessionConfig};
    ///
    /// let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    /// let app: axum::Router = axum::Router::new().layer(sessions.layer());
    /// ```
    #[must_use]
    pub fn layer(&self) -> SessionLayer {
        SessionLayer { config: Arc::clone(&self.config) }
    }
}

impl<Inner> Layer<Inner> for SessionLayer {
    type Service = SessionService<Inner>;

    fn layer(&self, inner: Inner) -> SessionService<Inner> {
        SessionService::new(inner, Arc::clone(&self.config))
    }
}

impl fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionLayer(..)")
    }
}
