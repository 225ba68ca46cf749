//! Sessions in a file, for one machine: no server, several processes if need be.
//!
//! The README has set-up, guarantees and figures.
//!
//! # The tables
//!
//! A row is a session that a person can read. Times are milliseconds since 1970, by the machine's clock.
//!
//! | column | |
//! |---|---|
//! | `id` | the [id](http_session_store::SessionId) |
//! | `expires` | when the session ends; never read after that, removed by a [sweep](http_session_store::Sweep) |
//! | `epoch` | counts changes of the verifier |
//! | `identity_epoch` | the epoch in which the identity last changed |
//! | `verifier` | SHA-256 of the secret in the cookie; `NULL`: the session was destroyed, within the last minute |
//! | `previous` | of the one before, while that is still valid |
//! | `created`, `identity_changed`, `verifier_changed`, `touched` | when each of these was last so |
//! | `identity` | who is signed in, as JSON |
//! | `cookie` | the session's own cookie attributes, as a JSON object |
//! | `keep` | fields that outlive a change of identity: a JSON object of `"sign_in"` and `"always"` |
//! | `fields` | the fields: a JSON object whose values are the values' JSON, as strings |
//!
//! A text whose bytes are not UTF-8, hold a NUL or begin with a backslash is `\x` and its bytes in hexadecimal.
//!
//! A second table, `sessions_generations`, has a row for each identity whose sessions were [ended
//! together](http_session_store::IndexSessions) within the last day: `identity`, `generation`, `expires`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The driver, for [`SqliteOptions::with_connection`].
pub use ::rusqlite as driver;

use self::job::{Access, Jobs, ask};
pub use self::options::{SqliteOptions, Synchronous};
use self::table::{Asked, Found, Table, Texts};
use http_session_store::SessionId;
use http_session_store::error::{ConnectError, StoreError};
use http_session_store::record::{Epoch, Lifetime, Patch, RawJson, Record};
use http_session_store::{
    Cursor, Destroyed, EnumerateSessions, Generation, IndexSessions, Inserted, Page, SessionStore, Touched, Updated,
};

mod failure;
mod job;
mod open;
mod options;
mod queue;
mod reader;
mod schema;
mod table;
mod writer;

/// Sessions in a file: they outlive the process, and several processes of one machine may share them.
///
/// All writes of a process go through one thread. Those that come while it waits for the disk share the next transaction, and
/// so the wait (group commit); a write is acknowledged when its transaction is committed. One that fails undoes none of the
/// others. Reads have threads of their own and wait for no write ([one connection](SqliteOptions::connections) does both).
///
/// Merge functions never run on these threads: the writer hands the row back, and the task that asked merges (R10).
///
/// Clones are one store. When the last is dropped the threads finish what is queued, tidy the file up and end.
///
/// ```no_run
/// use http_session::{Secret, SessionConfig};
/// use http_session_sqlite::SqliteStore;
///
/// # async fn sessions() -> Result<(), Box<dyn std::error::Error>> {
/// let store = SqliteStore::connect("sqlite:sessions.db").await?;
/// let sessions = SessionConfig::builder().secret(Secret::from_env("SESSION_SECRET")?).store(store).build();
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SqliteStore(Arc<Handle>);

/// What all clones share.
struct Handle {
    writes: Arc<Jobs>,
    reads: Arc<Jobs>,
    time_limit: Duration,
    /// Rows that are swept or cleared at once.
    batch: usize,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.reads.close();
        self.writes.close();
    }
}

impl SqliteStore {
    /// Opens a file, or makes it, with the default options: `sqlite:sessions.db`, `sqlite:///var/lib/app/sessions.db`,
    /// `sqlite::memory:`. See [`SqliteOptions::connect`].
    ///
    /// # Errors
    /// The URL is not valid, the table is another program's, or the file cannot be opened or written.
    ///
    /// ```
    /// # use http_session_sqlite::SqliteStore;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let store = SqliteStore::connect("sqlite::memory:").await?;
    /// # Ok::<_, http_session_store::error::ConnectError>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::options().connect(url).await
    }

    /// The options, all at their defaults.
    ///
    /// ```
    /// # use http_session_sqlite::SqliteStore;
    /// let options = SqliteStore::options().table("visits");
    /// ```
    pub fn options() -> SqliteOptions {
        SqliteOptions::new()
    }

    /// Removes all expired rows now, in small batches between other calls, and tells how many.
    ///
    /// # Errors
    /// The store failed. What was removed before stays so.
    ///
    /// ```
    /// # use http_session_sqlite::SqliteStore;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let store = SqliteStore::connect("sqlite::memory:").await?;
    /// assert_eq!(store.sweep().await?, 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let mut all = 0;
        let batch = self.0.batch;
        loop {
            let removed = self.write(move |table| table.sweep(batch)).await?;
            all += removed;
            if removed < batch {
                self.write(Table::sweep_generations).await?;
                return Ok(all);
            }
        }
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Table) -> Result<T, StoreError> + Send + 'static,
    {
        ask(&self.0.reads, self.deadline(), Access::Read, work).await
    }

    async fn scan<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Table) -> Result<T, StoreError> + Send + 'static,
    {
        ask(&self.0.reads, self.deadline(), Access::Scan, work).await
    }

    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Table) -> Result<T, StoreError> + Send + 'static,
    {
        self.write_until(self.deadline(), work).await
    }

    /// The same, for a call that has tried before.
    async fn write_until<T, F>(&self, deadline: Instant, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Table) -> Result<T, StoreError> + Send + 'static,
    {
        ask(&self.0.writes, deadline, Access::Write, work).await
    }

    /// When a call that begins now has to be over.
    fn deadline(&self) -> Instant {
        Instant::now() + self.0.time_limit
    }
}

/// Says nothing of the file.
impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("time_limit", &self.0.time_limit).finish_non_exhaustive()
    }
}

impl SessionStore for SqliteStore {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        let id = id.clone();
        self.read(move |table| table.load(&id)).await?.map(Found::row).transpose()
    }

    async fn insert(&self, id: &SessionId, row: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let (id, row, texts) = (id.clone(), row.clone(), Texts::of(&row.fields));
        self.write(move |table| table.insert(&id, &row, &texts, lifetime)).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        let asked = Asked::new(id, patch);
        self.write(move |table| table.update(&asked, lifetime)).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        let id = id.clone();
        self.write(move |table| table.touch(&id, epoch, lifetime)).await
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let id = id.clone();
        self.write(move |table| table.destroy(&id, epoch)).await
    }
}

/// Pages are in the order of the `id` column: a session that lives through all pages is named exactly once.
impl EnumerateSessions for SqliteStore {
    /// Goes through the whole table, a few thousand rows at a time.
    async fn len(&self) -> Result<usize, StoreError> {
        let (mut len, mut after) = (0, i64::MIN);
        loop {
            let count = self.scan(move |table| table.count(after)).await?;
            len += count.live;
            match count.next {
                Some(next) => after = next,
                None => return Ok(len),
            }
        }
    }

    async fn ids(&self, from: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let from = from.cloned();
        self.scan(move |table| table.ids(from.as_ref(), limit)).await
    }

    /// In small batches, between other calls.
    async fn clear(&self) -> Result<(), StoreError> {
        let mut page = self.ids(None, self.0.batch).await?;
        loop {
            let ids = page.ids;
            self.write(move |table| ids.iter().try_for_each(|id| table.destroy(id, None).map(drop))).await?;
            let Some(next) = page.next else { return Ok(()) };
            page = self.ids(Some(&next), self.0.batch).await?;
        }
    }
}

/// The rows are the index: a session is found as soon as it is stored, and no longer than it lives. Pages are in the order of
/// the `id` column.
impl IndexSessions for SqliteStore {
    async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        let identity = identity.clone();
        self.read(move |table| table.generation(&identity)).await
    }

    async fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Result<(), StoreError> {
        let identity = identity.clone();
        self.write(move |table| table.raise_generation(&identity, generation)).await
    }

    async fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        let (identity, after) = (identity.clone(), after.cloned());
        self.scan(move |table| table.linked(&identity, after.as_ref(), limit)).await
    }
}
