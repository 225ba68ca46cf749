//! The options.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::SqliteStore;
use super::open::{LONGEST, Place, open};
use http_session_store::Sweep;
use http_session_store::clock::{Clock, SystemClock};
use http_session_store::error::ConnectError;

/// What a commit waits for, before it is acknowledged.
///
/// Of both, what is in the file is whole at any moment, and no acknowledged commit is lost when the process is killed.
///
/// ```
/// use http_session_sqlite::SqliteStore;
/// use http_session_sqlite::Synchronous;
///
/// let options = SqliteStore::options().synchronous(Synchronous::Normal);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Until it is on the disk: it survives a loss of power too. The default.
    #[default]
    Full,
    /// Until the operating system has it. When that crashes or the power is lost, the last commits may be gone: somebody who
    /// signed out a moment before is signed in again. Many times as fast where the disk is slow to confirm.
    Normal,
}

/// The options of a [`SqliteStore`], from [`SqliteStore::options`].
///
/// ```
/// use std::time::Duration;
/// use http_session_sqlite::SqliteStore;
/// use http_session_store::Sweep;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = SqliteStore::options()
///     .table("visits")
///     .connections(4)
///     .time_limit(Duration::from_secs(2))
///     .sweep(Sweep::every(Duration::from_secs(60)))
///     .connect("sqlite::memory:")
///     .await?;
/// # Ok::<_, http_session_store::error::ConnectError>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until they are connected"]
pub struct SqliteOptions {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) connections: usize,
    pub(super) sweep: Sweep,
    pub(super) synchronous: Synchronous,
    pub(super) table: String,
    pub(super) time_limit: Duration,
}

impl SqliteOptions {
    pub(super) fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            connections: 3,
            sweep: Sweep::default(),
            synchronous: Synchronous::default(),
            table: "sessions".to_owned(),
            time_limit: Duration::from_secs(3),
        }
    }

    /// So many connections to the file, each on a thread of its own: one that writes, the others read. Three by default, at
    /// least one, which then does both: those who read wait for their turn behind those who write. A database in memory always
    /// has one.
    ///
    /// ```
    /// # use http_session_sqlite::SqliteStore;
    /// let options = SqliteStore::options().connections(8);
    /// ```
    pub fn connections(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// How long a call may wait for its turn, also for another process that writes to the file: three seconds by default, at
    /// most an hour. When its turn comes later it answers [`Unavailable`](http_session_store::error::StoreErrorKind::Unavailable), and
    /// nothing was written. While the disk hangs no turn comes and nobody answers; then the middleware's own
    /// [limit](crate::config::Builder::store_timeout) ends the request, and nobody can tell. Let this be less than that.
    ///
    /// ```
    /// # use http_session_sqlite::SqliteStore;
    /// let options = SqliteStore::options().time_limit(std::time::Duration::from_secs(1));
    /// ```
    pub fn time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit: time_limit.min(LONGEST), ..self }
    }

    /// When expired sessions are removed: every five minutes by default.
    ///
    /// ```
    /// # use http_session_sqlite::{SqliteStore, store::Sweep};
    /// let options = SqliteStore::options().sweep(Sweep::NEVER);
    /// ```
    pub fn sweep(self, sweep: Sweep) -> Self {
        Self { sweep, ..self }
    }

    /// What a commit waits for: by default [until it is on the disk](Synchronous::Full).
    ///
    /// ```
    /// # use http_session_sqlite::{SqliteStore, store::sqlite::Synchronous};
    /// let options = SqliteStore::options().synchronous(Synchronous::Normal);
    /// ```
    pub fn synchronous(self, synchronous: Synchronous) -> Self {
        Self { synchronous, ..self }
    }

    /// The table's name, `sessions` by default: 1 to 50 letters of ASCII, digits and `_`. A second table has the same with
    /// `_generations` behind it. Configurations with tables of their own may share a file.
    ///
    /// ```
    /// # use http_session_sqlite::SqliteStore;
    /// let options = SqliteStore::options().table("admin_sessions");
    /// ```
    pub fn table(self, name: impl Into<String>) -> Self {
        Self { table: name.into(), ..self }
    }

    /// Takes the time since the Unix epoch from a clock: a [`ManualClock`](http_session_store::clock::ManualClock) in tests. All processes
    /// that share a file need the same (R7).
    ///
    /// ```
    /// # use http_session_sqlite::{SqliteStore, clock::ManualClock};
    /// let clock = ManualClock::new();
    /// let options = SqliteStore::options().clock(clock.clone());
    /// ```
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Opens the file, or makes it, and the tables in it.
    ///
    /// | URL | |
    /// |---|---|
    /// | `sqlite:sessions.db` | a file, relative to the working directory |
    /// | `sqlite:///var/lib/app/sessions.db` | a file |
    /// | `sqlite::memory:` | in memory, gone with the store |
    ///
    /// In the path, `%3F` is a `?` and so on. A new file can be read by its owner alone.
    ///
    /// # Errors
    /// The URL or the table's name is not valid, the table is another program's, or the file cannot be opened or written.
    ///
    /// ```no_run
    /// # use http_session_sqlite::SqliteStore;
    /// # async fn connect() -> Result<(), http_session_store::error::ConnectError> {
    /// let store = SqliteStore::options().connections(8).connect("sqlite:///var/lib/app/sessions.db").await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(self, url: &str) -> Result<SqliteStore, ConnectError> {
        open(Place::of_url(url)?, self).await
    }

    /// The same for a path, whatever its letters.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// ```no_run
    /// # use http_session_sqlite::SqliteStore;
    /// # async fn open() -> Result<(), http_session_store::error::ConnectError> {
    /// let store = SqliteStore::options().open("/var/lib/app/sessions.db").await?;
    /// # Ok(()) }
    /// ```
    pub async fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, ConnectError> {
        open(Place::of_path(path.as_ref()), self).await
    }

    /// Takes a connection of yours as the one that writes; others that read are opened to the same file. Where no other can
    /// open it (it is encrypted, say), ask for [one connection](Self::connections).
    ///
    /// The connection's `journal_mode` becomes `WAL`, its `synchronous` what the options say; its busy handler,
    /// `wal_autocheckpoint`, `journal_size_limit`, `fullfsync` and `checkpoint_fullfsync` become ours. What else is in
    /// the file, `user_version` too, stays as it is.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); also where the connection is read-only or within a transaction.
    ///
    /// ```
    /// use http_session_sqlite::SqliteStore;
    /// use http_session_sqlite::driver::Connection;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let connection = Connection::open_in_memory()?;
    /// let store = SqliteStore::options().with_connection(connection).await?;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub async fn with_connection(self, connection: Connection) -> Result<SqliteStore, ConnectError> {
        open(Place::Connection(connection), self).await
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOptions")
            .field("connections", &self.connections)
            .field("sweep", &self.sweep)
            .field("synchronous", &self.synchronous)
            .field("table", &self.table)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}
