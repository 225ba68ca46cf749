//! How a store is opened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::ConnectionInfo;
use ::redis::aio::ConnectionManager;

use super::cluster::Cluster;
use super::connection::Connection;
use super::refusal::explained;
use super::sentinel::Sentinel;
use super::server::{Role, Template};
use super::url::{self, Target};
use super::{Keys, RedisStore, Shared};
use http_session_store::error::{ConnectError, StoreError, StoreErrorKind};

/// What a call may take at most: every limit is a moment that there is.
const LONGEST: Duration = Duration::from_secs(3600);

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

impl RedisOptions {
    pub(super) fn new() -> Self {
        Self {
            prefix: "session:".to_owned(),
            connections: 2,
            time_limit: Duration::from_secs(3),
            #[cfg(feature = "tls")]
            certificates: None,
        }
    }

    /// What all keys begin with: `session:` by default. Two applications that share a database need different ones, neither of
    /// which begins with the other and `s:`. It has no braces, which mean something to a cluster.
    ///
    /// ```
    /// # use http_session_redis::RedisStore;
    /// let options = RedisStore::options().prefix("shop:");
    /// ```
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How many connections are kept to a server: two by default, at least one. Each carries many calls at once, so few are
    /// enough; more are of use where values are large.
    ///
    /// ```
    /// # use http_session_redis::RedisStore;
    /// let options = RedisStore::options().connections(4);
    /// ```
    pub const fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// How long one call may take, with all attempts that it needs: three seconds by default, at most an hour. To make a connection may take a
    /// third of it. Keep it below [`store_timeout`](crate::config::Builder::store_timeout), which gives a call up without a
    /// word to the store.
    ///
    /// ```
    /// # use http_session_redis::RedisStore;
    /// let options = RedisStore::options().time_limit(std::time::Duration::from_secs(1));
    /// ```
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = if limit.as_secs() < LONGEST.as_secs() { limit } else { LONGEST };
        self
    }

    /// For `rediss`: whom to trust instead of the authorities of the system, and who we are.
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
    /// - `redis://user:password@host:port/database`, over TLS `rediss://..`; `redis+unix:///path?db=0&user=..&pass=..`
    /// - `redis+cluster://user:password@host:port,host:port`, over TLS `rediss+cluster://..`: some of the servers; they name
    ///   the others
    /// - `redis+sentinel://user:password@host:port,host:port/service/database`, over TLS `rediss+sentinel://..`: the sentinels,
    ///   the name under which they know the primary, and the user of the primary. Sentinels that ask for a password get
    ///   `?sentinel_password=..`, perhaps with `&sentinel_user=..`.
    ///
    /// User, password, port and database may be left out; special letters in them are percent-encoded.
    ///
    /// # Errors
    /// The URL or the prefix is not valid, or nobody answers within the [time limit](Self::time_limit).
    ///
    /// ```no_run
    /// # use http_session_redis::RedisStore;
    /// # async fn open() -> Result<(), http_session_store::error::ConnectError> {
    /// let store = RedisStore::options().connect("redis+cluster://10.0.0.1,10.0.0.2").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(self, url: &str) -> Result<RedisStore, ConnectError> {
        let target = url::parse(url)?;
        let connection = match target {
            Target::Single(info) => {
                let server = self.template(info, Role::Any)?.server().map_err(refused)?;
                Connection::single(server, self.time_limit)
            }
            Target::Cluster { info, nodes } => {
                Connection::cluster(Cluster::new(self.template(info, Role::Any)?, nodes), self.time_limit)
            }
            Target::Sentinel { info, sentinel_info, sentinels, service } => {
                let sentinel = Self { connections: 1, ..self.clone() }.template(*sentinel_info, Role::Any)?;
                let sentinels = sentinels.iter().map(|address| sentinel.at(address).server());
                let sentinels = sentinels.collect::<Result<_, _>>().map_err(refused)?;
                let primary = self.template(info, Role::Primary)?;
                Connection::sentinel(Sentinel::new(primary, sentinels, &service), self.time_limit)
            }
        };
        let store = self.store(connection)?;
        store.load_scripts().await.map_err(explained)?;
        Ok(store)
    }

    /// On a connection of yours to one server, which is not the one of a cluster. [`connections`](Self::connections) is of no
    /// effect; that nothing is sent twice (R10) depends on the connection: this one of the driver does not. It is kept for as
    /// long as it works: when its server becomes a replica, writes fail until the server closes the connection or is the
    /// primary again, also where its name stands for another machine by then.
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
        let connection = Connection::given(connection, self.time_limit);
        self.store(connection)
    }

    fn store(self, connection: Connection) -> Result<RedisStore, ConnectError> {
        if self.prefix.contains(['{', '}']) {
            return Err(ConnectError::InvalidOptions("the prefix must not have braces"));
        }
        Ok(RedisStore(Arc::new(Shared { keys: Keys::new(self.prefix), connection })))
    }

    fn template(&self, info: ConnectionInfo, role: Role) -> Result<Template, ConnectError> {
        let info = self.with_certificates(info)?;
        Ok(Template { info, connections: self.connections, role, patience: self.time_limit / 3 })
    }

    #[cfg(feature = "tls")]
    fn with_certificates(&self, info: ConnectionInfo) -> Result<ConnectionInfo, ConnectError> {
        if !matches!(info.addr(), ::redis::ConnectionAddr::TcpTls { .. }) {
            return Ok(info);
        }
        // The driver takes the one of the process, and panics where none was chosen and several are compiled in.
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

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("prefix", &self.prefix)
            .field("connections", &self.connections)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}
