//! The store.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_session_store::error::StoreError;
use http_session_store::record::{Epoch, Lifetime, Patch, RawJson, Record};
use http_session_store::{
    Cursor, Destroyed, EnumerateSessions, Generation, IndexSessions, Inserted, Page, SessionId, SessionStore, Touched,
    Updated,
};

use crate::job::{JobKind, JobSender, ask};
use crate::options::SqliteOptions;
use crate::row::{FieldColumns, LoadedRow, PreparedUpdate};
use crate::table::Table;

/// Sessions in a SQLite file. They outlive the process, and several processes of one machine may share them.
///
/// All writes of a process go through one thread. Writes that arrive while it waits for the disk share the next transaction, and
/// so one wait (group commit). A write is acknowledged when its transaction is committed. A write that fails does not undo the
/// others. Reads have their own threads and do not wait for writes, unless there is only [one
/// connection](SqliteOptions::connections).
///
/// Clones share one store. When the last clone is dropped, its threads finish the calls that wait, move the log into the file,
/// and end.
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
pub struct SqliteStore(Arc<Shared>);

/// What all clones share. The threads end when its senders are dropped.
pub(crate) struct Shared {
    pub(crate) writes: JobSender,
    pub(crate) reads: JobSender,
    pub(crate) time_limit: Duration,
    /// How many rows are swept or cleared by one call.
    pub(crate) batch_size: usize,
}

impl SqliteStore {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// The options, with their defaults.
    pub fn options() -> SqliteOptions {
        SqliteOptions::new()
    }

    /// Removes all expired rows now, in small batches between other calls, and answers how many it removed.
    ///
    /// # Errors
    /// The store failed. The batches before stay removed.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let mut total = 0;
        let batch_size = self.0.batch_size;
        loop {
            let removed = self.write(move |table| table.sweep(batch_size)).await?;
            total += removed;
            if removed < batch_size {
                self.write(Table::sweep_generations).await?;
                return Ok(total);
            }
        }
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Table) -> Result<T, StoreError> + Send + 'static,
    {
        ask(&self.0.reads, self.deadline(), JobKind::Read, work).await
    }

    async fn scan<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Table) -> Result<T, StoreError> + Send + 'static,
    {
        ask(&self.0.reads, self.deadline(), JobKind::Scan, work).await
    }

    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Table) -> Result<T, StoreError> + Send + 'static,
    {
        ask(&self.0.writes, self.deadline(), JobKind::Write, work).await
    }

    /// When the turn of a call that begins now has to have come.
    fn deadline(&self) -> Instant {
        Instant::now() + self.0.time_limit
    }
}

/// Does not show the file.
impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("time_limit", &self.0.time_limit).finish_non_exhaustive()
    }
}

impl SessionStore for SqliteStore {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        let id = id.clone();
        self.read(move |table| table.load(&id)).await?.map(LoadedRow::into_record).transpose()
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let (id, record, columns) = (id.clone(), record.clone(), FieldColumns::new(&record.fields));
        self.write(move |table| table.insert(&id, &record, &columns, lifetime)).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        let update = PreparedUpdate::new(id, patch);
        self.write(move |table| table.update(&update, lifetime)).await
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

/// Pages are in the order of the `id` column: a session that exists during the whole enumeration is named exactly once.
impl EnumerateSessions for SqliteStore {
    /// Goes through the whole table, a few thousand rows at a time.
    async fn len(&self) -> Result<usize, StoreError> {
        let (mut len, mut after) = (0, i64::MIN);
        loop {
            let counted = self.scan(move |table| table.count(after)).await?;
            len += counted.live;
            match counted.next {
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
        let mut page = self.ids(None, self.0.batch_size).await?;
        loop {
            let ids = page.ids;
            self.write(move |table| ids.iter().try_for_each(|id| table.destroy(id, None).map(drop))).await?;
            let Some(next) = page.next else { return Ok(()) };
            page = self.ids(Some(&next), self.0.batch_size).await?;
        }
    }
}

/// The rows themselves are the index: a session is found as soon as it is stored, and as long as it lives. Pages are in the
/// order of the `id` column.
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
