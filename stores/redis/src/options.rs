//! How a store is opened.

use std::fmt;
use std::time::Duration;

use ::redis::ConnectionInfo;
use ::redis::aio::ConnectionManager;

use crate::keys::Keys;
use crate::store::RedisStore;
use crate::topology::{Cluster, RequiredRole, Sentinels, ServerOptions, Topology, explained, patience};
use crate::url::{self, Target};
use http_session_store::error::{ConnectError, StoreError, StoreErrorKind};

/// Short enough to be added to any time.
const MAX_TIME_LIMIT: Duration = Duration::from_secs(3600);

/// How a [`RedisStore`] is opened, from [`RedisStore::options`].
///
/// ```no_run
/// use std::time::Duration;
/// use http_session_redis::RedisStore;
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let store = RedisStore::options()
///     .prefix("shop:")
///     .time_limit(Duration::from_secs(1))
///     .connect("redis+sentinel://:password@10.0.0.1,10.0.0.2,10.0.0.3/mymaster")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until they connect"]
pub struct RedisOptions {
    prefix: String,
    connections: usize,
    time_limit: Duration,
    #[cfg(feature = "tls")]
    certificates: Option<::redis::TlsCertificates>,
}

impl RedisStore {
    /// Connects with the defaults of [`RedisOptions`].
    ///
    /// # Errors
    /// As [`RedisOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::options().connect(url).await
    }

    /// Options to connect with.
    pub fn options() -> RedisOptions {
        RedisOptions {
            prefix: "session:".to_owned(),
            connections: 2,
            time_limit: Duration::from_secs(3),
            #[cfg(feature = "tls")]
            certificates: None,
        }
    }
}

impl RedisOptions {
    /// The beginning of all keys: `session:` by default. It must not contain braces, which have a meaning in a cluster.
    ///
    /// Applications that share a database need different prefixes. No prefix may begin with another application's prefix
    /// followed by `s:`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The number of connections to each server: two by default, and at least one. Each connection carries any number of calls
    /// at once, so two are usually enough. More help if values are large.
    pub const fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// The longest time that one call may take, with all its attempts: three seconds by default, at most an hour.
    ///
    /// To connect, and to wait for the answer to a load, a call takes at most a third of this time. Keep it below the time limit
    /// that the session configuration sets for store calls: when that limit is reached first, the store is not told.
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = if limit.as_secs() < MAX_TIME_LIMIT.as_secs() { limit } else { MAX_TIME_LIMIT };
        self
    }

    /// For TLS: the authorities to trust instead of those of the system, and a client certificate.
    ///
    /// ```no_run
    /// # use http_session_redis::RedisStore;
    /// use http_session_redis::driver::TlsCertificates;
    ///
    /// # fn options() -> std::io::Result<()> {
    /// let authority = std::fs::read("/etc/redis/ca.pem")?;
    /// let options = RedisStore::options()
    ///     .certificates(TlsCertificates { client_tls: None, root_cert: Some(authority) });
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn certificates(mut self, certificates: ::redis::TlsCertificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// Connects, and loads the scripts.
    ///
    /// | | URL |
    /// |---|---|
    /// | one server | `redis://user:password@host:port/database`, `redis+unix:///path?db=0&user=..&pass=..` |
    /// | a cluster | `redis+cluster://user:password@host:port,host:port`: some of the servers, which name the others |
    /// | sentinels | `redis+sentinel://user:password@host:port,host:port/service/database`: the sentinels, the name of the primary, and the user of the primary |
    /// | over TLS | the same with `rediss`, `rediss+cluster`, `rediss+sentinel` |
    ///
    /// User, password, port and database may be left out. Special characters are percent-encoded. If the sentinels need a
    /// password, add `?sentinel_password=..`, and `&sentinel_user=..` if they know users.
    ///
    /// # Errors
    /// The URL or the prefix is not valid, no server answers within the [time limit](Self::time_limit), or a server refuses the
    /// connection.
    pub async fn connect(self, url: &str) -> Result<RedisStore, ConnectError> {
        let topology = match url::parse(url)? {
            Target::Single(info) => {
                let server = self.server_options(info, RequiredRole::Any)?.server().map_err(refused)?;
                Topology::single(server, self.time_limit)
            }
            Target::Cluster { info, seeds } => {
                let cluster = Cluster::new(self.server_options(info, RequiredRole::Any)?, seeds);
                Topology::cluster(cluster, self.time_limit)
            }
            Target::Sentinels { info, sentinel_info, sentinels, service } => {
                let options = self.server_options(*sentinel_info, RequiredRole::Any)?;
                let options = ServerOptions { connections: 1, ..options };
                let sentinels = sentinels.iter().map(|address| options.server_at(address));
                let sentinels = sentinels.collect::<Result<_, _>>().map_err(refused)?;
                let primary = self.server_options(info, RequiredRole::Primary)?;
                Topology::sentinels(Sentinels::new(primary, sentinels, &service), self.time_limit)
            }
        };
        let store = self.store(topology)?;
        store.load_scripts().await.map_err(explained)?;
        Ok(store)
    }

    /// Uses your own connection to one server, which must not be part of a cluster.
    ///
    /// The connection has its own limits, and [`connections`](Self::connections) has no effect. That a write is never sent twice
    /// depends on the connection; the driver's `ConnectionManager` never sends one twice. The store keeps the connection. If its
    /// server becomes a replica, writes fail until the server closes the connection or becomes the primary again, even if the
    /// server's name stands for another machine by then.
    ///
    /// # Errors
    /// The prefix is not valid.
    ///
    /// ```no_run
    /// use http_session_redis::RedisStore;
    /// use http_session_redis::driver::{Client, aio::ConnectionManager};
    ///
    /// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = ConnectionManager::new(Client::open("redis://10.0.0.1")?).await?;
    /// let store = RedisStore::options().with_connection(manager)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_connection(self, connection: ConnectionManager) -> Result<RedisStore, ConnectError> {
        let topology = Topology::given(connection, self.time_limit);
        self.store(topology)
    }

    fn store(self, topology: Topology) -> Result<RedisStore, ConnectError> {
        if self.prefix.contains(['{', '}']) {
            return Err(ConnectError::InvalidOptions("the prefix must not contain braces"));
        }
        Ok(RedisStore::new(Keys::new(self.prefix), topology))
    }

    fn server_options(&self, info: ConnectionInfo, role: RequiredRole) -> Result<ServerOptions, ConnectError> {
        let info = self.with_certificates(info)?;
        Ok(ServerOptions { info, connections: self.connections, role, patience: patience(self.time_limit) })
    }

    #[cfg(feature = "tls")]
    fn with_certificates(&self, info: ConnectionInfo) -> Result<ConnectionInfo, ConnectError> {
        if !matches!(info.addr(), ::redis::ConnectionAddr::TcpTls { .. }) {
            return Ok(info);
        }
        // The driver uses the provider of the process. It panics if no provider is chosen and several are compiled in.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let Some(certificates) = self.certificates.clone() else { return Ok(info) };
        let client = ::redis::Client::build_with_tls(info, certificates).map_err(refused)?;
        Ok(client.get_connection_info().clone())
    }

    #[cfg(not(feature = "tls"))]
    fn with_certificates(&self, info: ConnectionInfo) -> Result<ConnectionInfo, ConnectError> {
        Ok(info)
    }
}

fn refused(error: ::redis::RedisError) -> ConnectError {
    StoreError::new(StoreErrorKind::Refused).with_source(error).into()
}

/// Shows no certificates.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("prefix", &self.prefix)
            .field("connections", &self.connections)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}
