//! The options of a store.

use std::time::Duration;

use http_session_store::Sweep;
use http_session_store::error::ConnectError;

use super::schema::{DEFAULT_TABLE, Tables};

/// A year. The end of a call must be an [`Instant`](tokio::time::Instant), which a longer time limit could exceed.
const LONGEST_TIME_LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);
/// More than a server can have. The pool allocates memory for as many as it is told.
const MOST_CONNECTIONS: usize = 10_000;

/// The options of a [`PostgresStore`](crate::PostgresStore), from [`PostgresStore::options`](crate::PostgresStore::options).
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
#[derive(Clone, Debug)]
#[must_use = "options do nothing until `connect` or `with_pool`"]
pub struct PostgresOptions {
    pub(super) connections: usize,
    pub(super) existing_table: bool,
    pub(super) prepared: bool,
    pub(super) sweep: Sweep,
    pub(super) table: String,
    pub(super) time_limit: Duration,
}

impl PostgresOptions {
    pub(super) fn new() -> Self {
        Self {
            connections: 10,
            existing_table: false,
            prepared: false,
            sweep: Sweep::default(),
            table: DEFAULT_TABLE.to_owned(),
            time_limit: Duration::from_secs(3),
        }
    }

    /// The number of connections that the pool may open: ten by default, at least one and at most 10,000.
    ///
    /// A connection is opened when it is needed, and a call waits if all are in use. The connection of a call that was dropped is
    /// free again once the server has answered. A connection whose answer did not come in time is closed, and a new one may take
    /// its place at once. For up to two seconds the server may then see both, and a third that asks it to cancel the statement.
    pub fn connections(self, connections: usize) -> Self {
        Self { connections: connections.clamp(1, MOST_CONNECTIONS), ..self }
    }

    /// Creates no tables and no indexes. They must exist already, created by the statements of [`schema`](Self::schema). The role
    /// then needs no right to create anything.
    pub fn existing_table(self) -> Self {
        Self { existing_table: true, ..self }
    }

    /// Prepares each statement once on each connection, instead of sending its text with each call. The server then plans it
    /// once. The first use of a statement on a connection costs one more round trip.
    ///
    /// Do not use this through a pgbouncer that does not
    /// [keep track](https://www.pgbouncer.org/config.html#max_prepared_statements) of prepared statements. The driver uses the
    /// same names in every process, so one process could run a statement of another.
    pub fn prepared(self) -> Self {
        Self { prepared: true, ..self }
    }

    /// When expired sessions are removed: every five minutes by default.
    pub fn sweep(self, sweep: Sweep) -> Self {
        Self { sweep, ..self }
    }

    /// The table's name, `http_session` by default: 1 to 50 ASCII letters, digits and `_`. Upper and lower case are kept. The
    /// name of a schema and a dot may come first. The second table has the same name with `_generations` appended.
    ///
    /// A name that is not valid is an error of [`connect`](Self::connect), [`with_pool`](Self::with_pool) and
    /// [`schema`](Self::schema).
    pub fn table(self, name: impl Into<String>) -> Self {
        Self { table: name.into(), ..self }
    }

    /// How long a call may take, including the wait for a connection: three seconds by default, and at most a year. After that it
    /// fails as [`Unavailable`](http_session_store::error::StoreErrorKind::Unavailable) if nothing was written, and otherwise as
    /// [`Unknown`](http_session_store::error::StoreErrorKind::Unknown).
    ///
    /// Keep it below the limit that the middleware has for all store calls of a request. That limit drops the call, and then no
    /// error says why.
    pub fn time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit: time_limit.min(LONGEST_TIME_LIMIT), ..self }
    }

    /// The statements that create the tables of this name, for running the migration yourself.
    ///
    /// # Errors
    /// The table's name is not valid ([`ConnectError::InvalidOptions`]).
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
}
