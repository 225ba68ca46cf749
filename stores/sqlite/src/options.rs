//! The options of a store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http_session_store::Sweep;
use http_session_store::clock::{Clock, SystemClock};

/// What a commit waits for before it is acknowledged.
///
/// With either of them the file is intact at any moment, and no acknowledged commit is lost when the process is killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Synchronous {
    /// Until it is on the disk, so that it survives a loss of power too. The default.
    #[default]
    Full,
    /// Until the operating system has it. When the system crashes or the power fails, the last commits may be lost: a user who
    /// signed out a moment before is signed in again. Many times as fast on a slow disk.
    Normal,
}

/// The options of a [`SqliteStore`](crate::SqliteStore).
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
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) connections: usize,
    pub(crate) sweep: Sweep,
    pub(crate) synchronous: Synchronous,
    pub(crate) table: String,
    pub(crate) time_limit: Duration,
}

/// SQLite counts the wait for a lock in milliseconds as a 32-bit number.
const MAX_TIME_LIMIT: Duration = Duration::from_secs(3600);

impl SqliteOptions {
    pub(crate) fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            connections: 3,
            sweep: Sweep::default(),
            synchronous: Synchronous::default(),
            table: "sessions".to_owned(),
            time_limit: Duration::from_secs(3),
        }
    }

    /// How many connections to the file there are, each with its own thread. Three by default: one writes, the others read.
    ///
    /// A single connection does both, and reads queue behind writes. A database in memory always has one connection.
    pub fn connections(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// How long a call may wait for its turn, and for another process that writes to the file. Three seconds by default, at most
    /// an hour.
    ///
    /// A call whose turn comes later answers [`Unavailable`](http_session_store::error::StoreErrorKind::Unavailable), and nothing
    /// was written. While the disk hangs, no turn comes and no call is answered. Then the time limit of the middleware ends the
    /// request with an unknown outcome, so choose a shorter time limit for the store.
    pub fn time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit: time_limit.min(MAX_TIME_LIMIT), ..self }
    }

    /// How often expired sessions are removed: every five minutes by default.
    pub fn sweep(self, sweep: Sweep) -> Self {
        Self { sweep, ..self }
    }

    /// What a commit waits for: the [disk](Synchronous::Full) by default.
    pub fn synchronous(self, synchronous: Synchronous) -> Self {
        Self { synchronous, ..self }
    }

    /// The name of the table: `sessions` by default, otherwise 1 to 50 ASCII letters, digits and `_`.
    ///
    /// A second table has the same name and `_generations` after it. Several configurations may share a file, each with its own
    /// table.
    pub fn table(self, name: impl Into<String>) -> Self {
        Self { table: name.into(), ..self }
    }

    /// Where the time since the Unix epoch comes from: in tests, a [`ManualClock`](http_session_store::clock::ManualClock).
    /// All processes that share a file need the same time.
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
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
