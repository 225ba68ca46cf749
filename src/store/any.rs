//! A store chosen at run time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::erased::ErasedNames;
use super::{
    Cursor, Destroyed, EnumerateSessions, ErasedIndex, ErasedStore, Generation, IndexSessions, Inserted, Page, Touched,
    Updated,
};
use crate::error::{ConnectError, StoreError};
use http_session_store::SessionId;
use http_session_store::SessionStore;
use http_session_store::record::{Epoch, Lifetime, Patch, RawJson, Record};

/// A store chosen at run time: by [its URL](Self::connect), or [by the program](Self::new).
///
/// It has the capabilities that all stores of this project share: the index by identity and the enumeration of sessions. It
/// does not have the express format. A store that panics counts as a store that failed. So does a store that promised to be
/// [instant](SessionStore::is_instant) and waits.
///
/// ```
/// use http_session::store::AnyStore;
/// use http_session::{Secret, SessionConfig};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let url = std::env::var("SESSION_STORE").unwrap_or_else(|_| "memory:".to_owned());
/// let store = AnyStore::connect(&url).await?;
/// let sessions: SessionConfig<AnyStore> = SessionConfig::builder().secret(Secret::random()).store(store).build();
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AnyStore(Arc<dyn Capable>);

/// What a store needs in order to be one of several.
trait Capable: ErasedStore + ErasedIndex + ErasedNames {}

impl<S: IndexSessions + EnumerateSessions> Capable for Arc<S> {}

/// The URL schemes that [`AnyStore::connect`] knows.
const SCHEMES: &[&str] = &[
    #[cfg(feature = "memory")]
    "memory:",
    #[cfg(feature = "sqlite")]
    "sqlite:",
    #[cfg(feature = "redis")]
    "redis:",
    #[cfg(feature = "redis-tls")]
    "rediss:",
    #[cfg(feature = "redis")]
    "redis+cluster:",
    #[cfg(feature = "redis-tls")]
    "rediss+cluster:",
    #[cfg(feature = "redis")]
    "redis+sentinel:",
    #[cfg(feature = "redis-tls")]
    "rediss+sentinel:",
    #[cfg(feature = "redis")]
    "redis+unix:",
    #[cfg(feature = "postgres")]
    "postgres:",
    #[cfg(feature = "postgres")]
    "postgresql:",
];

const MISSING_FEATURES: &[&str] = &[
    #[cfg(not(feature = "memory"))]
    "`memory`",
    #[cfg(not(feature = "sqlite"))]
    "`sqlite`",
    #[cfg(not(feature = "redis"))]
    "`redis`",
    #[cfg(not(feature = "redis-tls"))]
    "`redis-tls`",
    #[cfg(not(feature = "postgres"))]
    "`postgres`",
];

impl AnyStore {
    /// Opens the store that a URL names, with the default options of that store. The features of this crate decide which
    /// URLs it accepts.
    ///
    /// | URL | store | feature |
    /// |---|---|---|
    /// | `memory:` | [`MemoryStore`](crate::MemoryStore) | `memory` |
    /// | `sqlite:sessions.db`, `sqlite:///var/lib/app/sessions.db`, `sqlite::memory:` | [`SqliteStore`](http_session_sqlite::SqliteStore) | `sqlite` |
    /// | `redis://host:port`, `redis+cluster://host:port,host:port`, `redis+sentinel://host:port,host:port/service`, `redis+unix:///path` | [`RedisStore`](http_session_redis::RedisStore) | `redis` |
    /// | the same with `rediss` | over TLS | `redis-tls` |
    /// | `postgres://user:password@host/database` | [`PostgresStore`](http_session_postgres::PostgresStore) | `postgres`; `postgres-tls` for `sslmode=require` |
    ///
    /// # Errors
    /// No store of this program accepts such a URL (the error lists the known schemes), the URL is malformed, or the store
    /// cannot be reached.
    ///
    /// ```
    /// use http_session::store::AnyStore;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let error = AnyStore::connect("mongodb://localhost").await.unwrap_err();
    /// assert!(error.to_string().starts_with("this program has no session store for a URL of this kind; it has `memory:`"));
    /// # });
    /// # Ok::<_, std::io::Error>(())
    /// ```
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        let unknown = ConnectError::UnknownScheme { known: SCHEMES, features: MISSING_FEATURES };
        let Some((scheme, _)) = url.split_once(':') else { return Err(unknown) };
        match scheme {
            #[cfg(feature = "memory")]
            "memory" if url == "memory:" => Ok(Self::new(http_session_store::MemoryStore::new())),
            #[cfg(feature = "memory")]
            "memory" => Err(ConnectError::InvalidUrl("nothing follows `memory:`")),
            #[cfg(feature = "sqlite")]
            "sqlite" => http_session_sqlite::SqliteStore::connect(url).await.map(Self::new),
            #[cfg(feature = "redis")]
            _ if SCHEMES.iter().any(|known| known.starts_with("redis") && known.strip_suffix(':') == Some(scheme)) => {
                http_session_redis::RedisStore::connect(url).await.map(Self::new)
            }
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => http_session_postgres::PostgresStore::connect(url).await.map(Self::new),
            _ => Err(unknown),
        }
    }

    /// Hides the type of a store, so that a program can choose between stores of different types.
    #[must_use]
    pub fn new<S: IndexSessions + EnumerateSessions>(store: S) -> Self {
        Self(Arc::new(Arc::new(store)))
    }
}

impl fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyStore(..)")
    }
}

impl SessionStore for AnyStore {
    fn can_touch(&self) -> bool {
        self.0.can_touch()
    }

    fn is_instant(&self) -> bool {
        self.0.is_instant()
    }

    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.0.load(id).unlimited().await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        self.0.insert(id, record, lifetime).unlimited().await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        self.0.update(id, patch, lifetime).unlimited().await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        self.0.touch(id, epoch, lifetime).unlimited().await
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        self.0.destroy(id, epoch).unlimited().await
    }
}

impl EnumerateSessions for AnyStore {
    async fn len(&self) -> Result<usize, StoreError> {
        self.0.len().unlimited().await
    }

    async fn ids(&self, from: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.0.ids(from, limit).unlimited().await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.0.clear().unlimited().await
    }
}

impl IndexSessions for AnyStore {
    async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        self.0.generation(identity).unlimited().await
    }

    async fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Result<(), StoreError> {
        self.0.raise_generation(identity, generation).unlimited().await
    }

    async fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.0.linked(identity, after, limit).unlimited().await
    }

    async fn link(&self, identity: &RawJson, id: &SessionId, lifetime: Duration) -> Result<Generation, StoreError> {
        self.0.link(identity, id, lifetime).unlimited().await
    }

    async fn unlink(&self, identity: &RawJson, id: &SessionId) -> Result<(), StoreError> {
        self.0.unlink(identity, id).unlimited().await
    }
}
