//! The tower layer: `sessions.layer()`.

use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use super::SessionService;
use crate::config::{ErasedConfig, SessionConfig};
use http_session_store::SessionStore;

/// A tower layer that gives each request a session. Made by [`SessionConfig::layer`].
///
/// A handler inside the layer takes its session as an axum extractor, or calls [`Session::extract`](crate::Session::extract).
/// A session that no handler asks for is not loaded.
///
/// If the same layer is installed twice, the outer one serves both. A layer of another configuration has a session and a
/// cookie of its own. Handlers see the session of the innermost layer.
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
    /// A layer for tower and axum, which gives each request a session.
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
