//! `sessions.layer()`.

use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use super::SessionService;
use crate::config::{Core, SessionConfig};
use crate::session::slot::Writes;
use crate::store::{ConditionalCommit, SessionStore};

/// A tower layer that gives requests a session. Made by [`SessionConfig::layer`].
///
/// Handlers below reach it as an axum extractor, or with [`Session::extract`](crate::session::Session::extract). A session
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
    core: Arc<Core>,
    writes: Writes,
}

impl<S: SessionStore> SessionConfig<S> {
    /// A layer for tower and axum.
    ///
    /// It does not know the session types of the handlers inside, and some of them may have an identity or merge rules, so it
    /// needs a store that implements [`ConditionalCommit`]. On others there is
    /// [`overwriting_layer`](Self::overwriting_layer).
    ///
    /// ```
    /// use http_session::{MemoryStore, Secret, SessionConfig};
    ///
    /// let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    /// let app: axum::Router = axum::Router::new().layer(sessions.layer());
    /// ```
    #[must_use]
    pub fn layer(&self) -> SessionLayer
    where
        S: ConditionalCommit,
    {
        SessionLayer { core: Arc::clone(&self.core), writes: Writes::Conditional }
    }

    /// A layer on a store that may only overwrite, such as a [`Basic`](crate::store::Basic) one: of two requests that write at
    /// the same moment, one is lost. A session type with an identity or with merge rules has no session there
    /// ([`SessionRejection::OverwritingStore`](crate::error::SessionRejection::OverwritingStore)).
    ///
    /// ```
    /// use http_session::{MemoryStore, Secret, SessionConfig};
    ///
    /// let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    /// let app: axum::Router = axum::Router::new().layer(sessions.overwriting_layer());
    /// ```
    #[must_use]
    pub fn overwriting_layer(&self) -> SessionLayer {
        SessionLayer { core: Arc::clone(&self.core), writes: Writes::Overwriting }
    }
}

impl<Inner> Layer<Inner> for SessionLayer {
    type Service = SessionService<Inner>;

    fn layer(&self, inner: Inner) -> SessionService<Inner> {
        SessionService::new(inner, Arc::clone(&self.core), self.writes)
    }
}

impl fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionLayer(..)")
    }
}
