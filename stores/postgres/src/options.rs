//! The options.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::tokio_postgres::NoTls;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};

use super::connection::{Connections, Connector};
use super::schema::{DEFAULT_TABLE, Tables};
use super::{PostgresStore, failure, url};
use http_session_store::Sweep;
use http_session_store::error::{ConnectError, StoreError, StoreErrorKind};

/// A year, so that the end of a call is a moment.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// More than a server can have; the pool makes room for as many as it is told.
const MOST_CONNECTIONS: usize = 10_000;

/// The options of a [`PostgresStore`], from [`PostgresStore::options`].
///
/// ```no_run
/// use std::time::Duration;
/// use http_session_postgres::PostgresStore;
/// use http_session_store::Sweep;
///
/// # async fn connect() -> Result<(), http_session_store::error::ConnectError> {
/// let store = PostgresStore::options()
///     .table("shop.sessions")
///     .connections(20)
///     .time_limit(Duration::from_secs(2))
///     .sweep(Sweep::every(Duration::from_secs(60)))
///     .connect("postgres://shop@db.internal/shop?sslmode=verify-full")
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until they are connected"]
pub struct PostgresOptions {
    connections: usize,
    existing: bool,
    prepared: bool,
    sweep: Sweep,
    table: String,
    time_limit: Duration,
}

impl PostgresOptions {
    pub(super) fn new() -> Self {
        Self {
            connections: 10,
            existing: false,
            prepared: false,
            sweep: Sweep::default(),
            table: DEFAULT_TABLE.to_owned(),
            time_limit: Duration::from_secs(3),
        }
    }

    /// At most so many connections to the server, ten by default, at least one. They are opened when they are needed, and a
    /// call waits for one that is free. One whose call was dropped is free again when the server has answered. One on which no
    /// answer came in time does not count any more; for two seconds at most it stays open beside the others, and one more
    /// that asks the server to cancel.
    ///
    /// ```
    /// # use http_session_postgres::PostgresStore;
    /// let options = PostgresStore::options().connections(20);
    /// ```
    pub fn connections(self, connections: usize) -> Self {
        Self { connections: connections.clamp(1, MOST_CONNECTIONS), ..self }
    }

    /// The tables have to be there already, made by the statements of [`schema`](Self::schema): the store makes none, and its
    /// role may do without the right to.
    ///
    /// ```
    /// # use http_session_postgres::PostgresStore;
    /// let options = PostgresStore::options().existing_table();
    /// ```
    pub fn existing_table(self) -> Self {
        Self { existing: true, ..self }
    }

    /// Prepares each statement once on each connection, under a name, instead of sending its text each time: the server then
    /// plans it once. Each costs a further round trip the first time.
    ///
    /// Never through a pgbouncer that does not
    /// [keep track](https://www.pgbouncer.org/config.html#max_prepared_statements) of prepared statements: the driver gives
    /// them the same names in every process, so one process could run another's.
    ///
    /// ```
    /// # use http_session_postgres::PostgresStore;
    /// let options = PostgresStore::options().prepared();
    /// ```
    pub fn prepared(self) -> Self {
        Self { prepared: true, ..self }
    }

    /// When expired sessions are removed: every five minutes by default.
    ///
    /// ```
    /// # use http_session_postgres::{PostgresStore, store::Sweep};
    /// let options = PostgresStore::options().sweep(Sweep::NEVER);
    /// ```
    pub fn sweep(self, sweep: Sweep) -> Self {
        Self { sweep, ..self }
    }

    /// The table's name, `http_session` by default: 1 to 50 letters of ASCII, digits and `_`, as they are, with the schema's
    /// name and a dot before it if need be. A second table has the same with `_generations` behind it.
    ///
    /// ```
    /// # use http_session_postgres::PostgresStore;
    /// let options = PostgresStore::options().table("app.sessions");
    /// ```
    pub fn table(self, name: impl Into<String>) -> Self {
        Self { table: name.into(), ..self }
    }

    /// How long a call may take, three seconds by default, waiting for a connection included. After that it answers
    /// [`Unavailable`](StoreErrorKind::Unavailable) where nothing was written, else [`Unknown`](StoreErrorKind::Unknown). Let
    /// it be less than the middleware's own [limit](crate::config::Builder::store_timeout), which knows nothing of
    /// connections.
    ///
    /// ```
    /// # use http_session_postgres::PostgresStore;
    /// let options = PostgresStore::options().time_limit(std::time::Duration::from_secs(1));
    /// ```
    pub fn time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit: time_limit.min(LONGEST), ..self }
    }

    /// The statements that make the tables of this name: a migration for who does not let the store do it.
    ///
    /// # Errors
    /// The name is not valid ([`ConnectError::InvalidOptions`]).
    ///
    /// ```
    /// # use http_session_postgres::PostgresStore;
    /// let migration = PostgresStore::options().table("app.sessions").schema()?;
    /// assert!(migration.contains(r#"create table if not exists "app"."sessions""#));
    /// # Ok::<_, http_session_store::error::ConnectError>(())
    /// ```
    pub fn schema(&self) -> Result<String, ConnectError> {
        Ok(Tables::new(&self.table)?.schema())
    }

    /// Connects, and makes the tables where they are missing.
    ///
    /// The URL is that of the [driver](super::driver::tokio_postgres::Config#url), and of it
    ///
    /// | `sslmode` | |
    /// |---|---|
    /// | `disable` | no tls |
    /// | `prefer`, or none | tls if the server has it and the crate feature `postgres-tls` is on; who the server is remains open |
    /// | `require`, `verify-ca`, `verify-full` | tls, with a certificate for the host's name by an authority that the system trusts, or one of those in the file of `sslrootcert` |
    ///
    /// Unlike with libpq, `require` looks at the certificate as `verify-full` does: a self-signed one has to be in the file of
    /// `sslrootcert`.
    ///
    /// # Errors
    /// The URL or the table's name is not valid, the server cannot be reached or refuses, the table is another program's or
    /// lacks an index that may not be made, or the role lacks a right on it.
    ///
    /// ```no_run
    /// # use http_session_postgres::PostgresStore;
    /// # async fn connect() -> Result<(), http_session_store::error::ConnectError> {
    /// let store = PostgresStore::options().prepared().connect("postgres://shop@db.internal/shop").await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(self, url: &str) -> Result<PostgresStore, ConnectError> {
        let (mut config, connector) = url::parse(url)?;
        url::divide_time(&mut config, self.time_limit);
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

    /// Takes a pool of yours, with its own bound on connections: [`connections`](Self::connections) does not apply.
    ///
    /// A statement that is not answered in time goes on in the server, after its connection is closed; a `statement_timeout`
    /// of the role ends it.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// ```no_run
    /// use http_session_postgres::PostgresStore;
    /// use http_session_postgres::driver::{Pool, tokio_postgres::NoTls};
    ///
    /// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
    /// use http_session_postgres::driver::{Config, Runtime};
    ///
    /// let config = Config { url: Some("postgres://shop@db.internal/shop".to_owned()), ..Config::new() };
    /// let pool: Pool = config.create_pool(Some(Runtime::Tokio1), NoTls)?;
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
        let made = tables.prepare(&connections, self.existing).await;
        made.map_err(|error| error.map_store(failure::explained))?;
        Ok(PostgresStore::open(connections, &tables, self.sweep))
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("connections", &self.connections)
            .field("existing_table", &self.existing)
            .field("prepared", &self.prepared)
            .field("sweep", &self.sweep)
            .field("table", &self.table)
            .field("time_limit", &self.time_limit)
            .finish()
    }
}
