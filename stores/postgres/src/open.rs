//! Opening a store.

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use http_session_store::error::{ConnectError, StoreError, StoreErrorKind};
use tokio_postgres::NoTls;

use super::connection::Connections;
use super::connector::Connector;
use super::options::PostgresOptions;
use super::reason::explain;
use super::schema::Tables;
use super::store::PostgresStore;
use super::url;

impl PostgresStore {
    /// Connects with the default options, and creates the tables if they are missing.
    ///
    /// # Errors
    /// As [`PostgresOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::options().connect(url).await
    }

    /// Options for a store: table, connections, time limit, sweep.
    pub fn options() -> PostgresOptions {
        PostgresOptions::new()
    }
}

impl PostgresOptions {
    /// Connects, and creates the tables if they are missing.
    ///
    /// The URL is `postgres://user:password@host:port/database?parameter=value`, with the parameters of
    /// [`tokio_postgres::Config`]; for `sslmode` and `sslrootcert` see the [crate's documentation](crate#set-up).
    ///
    /// # Errors
    /// - The URL or the table's name is not valid. A parameter of the URL that is not known is an error too.
    /// - The server cannot be reached, or refuses the connection.
    /// - The table belongs to another program, or it is missing and must or may not be created.
    /// - The role lacks a right on the tables.
    pub async fn connect(self, url: &str) -> Result<PostgresStore, ConnectError> {
        let (mut config, connector) = url::parse(url)?;
        url::divide_time(&mut config, self.time_limit);
        // No query to check a connection before each use: a call finds out, and knows what to do.
        let fast = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match &connector {
            Connector::Plain | Connector::Unknown => Manager::from_config(config, NoTls, fast),
            #[cfg(feature = "tls")]
            Connector::Tls(tls) => Manager::from_config(config, tls.clone(), fast),
        };
        let pool = Pool::builder(manager).max_size(self.connections).build();
        let pool = pool.map_err(|error| StoreError::new(StoreErrorKind::Refused).with_source(error))?;
        self.open(pool, connector).await
    }

    /// Uses a pool that you already have. The pool limits its connections itself:
    /// [`connections`](Self::connections) does not apply.
    ///
    /// If a statement is not answered in time, its connection is closed, but the statement continues in the server. A
    /// `statement_timeout` of the role ends it.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// ```no_run
    /// use http_session_postgres::PostgresStore;
    /// use http_session_postgres::driver::tokio_postgres::NoTls;
    /// use http_session_postgres::driver::{Config, Runtime};
    ///
    /// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = Config { url: Some("postgres://shop@db.internal/shop".to_owned()), ..Config::new() };
    /// let pool = config.create_pool(Some(Runtime::Tokio1), NoTls)?;
    /// let store = PostgresStore::options().with_pool(pool).await?;
    /// # Ok(()) }
    /// ```
    pub async fn with_pool(self, pool: Pool) -> Result<PostgresStore, ConnectError> {
        self.open(pool, Connector::Unknown).await
    }

    async fn open(self, pool: Pool, connector: Connector) -> Result<PostgresStore, ConnectError> {
        let tables = Tables::new(&self.table)?;
        let Self { prepared, time_limit, .. } = self;
        let connections = Connections { pool, connector, time_limit, prepared };
        let prepared = tables.prepare(&connections, self.existing_table).await;
        prepared.map_err(|error| error.map_store(explain))?;
        Ok(PostgresStore::new(connections, &tables, self.sweep))
    }
}
