//! The store.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Weak};

use http_session_store::SessionId;
use http_session_store::error::{StoreError, StoreErrorKind};
use http_session_store::record::{Epoch, Lifetime, Patch, RawJson, Record};
use http_session_store::{
    Cursor, Destroyed, EnumerateSessions, GENERATION_LIFETIME, Generation, IndexSessions, Inserted, Page, SessionStore,
    Sweep, Touched, Updated, text,
};
use tokio_postgres::Row;

use super::connection::{Connections, WithinLimit};
use super::parameter::Parameter;
use super::row::{self, column};
use super::schema::{SCHEMA, Tables};
use super::statements::Statements;
use super::update::UpdateStatement;

/// Sessions in PostgreSQL, from version 12 on. Any number of processes on any number of machines may share them.
///
/// Each call is one statement, one transaction and one round trip. If a field with a merge rule was changed in the meantime, the
/// statement returns the record; the middleware merges, and updates again.
///
/// Clones share one pool. A connection that breaks is replaced.
///
/// ```no_run
/// use http_session::{Secret, SessionConfig};
/// use http_session_postgres::PostgresStore;
///
/// # async fn sessions() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::connect("postgres://shop@db.internal/shop?sslmode=verify-full").await?;
/// let sessions = SessionConfig::builder().secret(Secret::from_env("SESSION_SECRET")?).store(store).build();
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PostgresStore(Arc<Shared>);

/// What all clones share.
struct Shared {
    connections: Connections,
    statements: Statements,
    sweep: Sweep,
}

impl PostgresStore {
    /// The statements that create the tables, for running the migration yourself. [`PostgresOptions::schema`] has them for
    /// another table name.
    ///
    /// [`PostgresOptions::schema`]: crate::PostgresOptions::schema
    pub const SCHEMA: &str = SCHEMA;

    pub(super) fn new(connections: Connections, tables: &Tables, sweep: Sweep) -> Self {
        let statements = Statements::new(tables.sessions(), &tables.generations());
        let shared = Arc::new(Shared { connections, statements, sweep });
        if sweep.pause().is_some() {
            tokio::spawn(sweep_until_closed(Arc::downgrade(&shared), sweep));
        }
        Self(shared)
    }

    /// Removes the expired rows in batches, and returns how many there were. A row that another process is using or removing is
    /// left alone.
    ///
    /// # Errors
    /// The store failed. The batches before stay removed.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let batch = self.0.sweep.batch_size();
        let mut all = 0;
        loop {
            let result = self.within_limit().write(&self.0.statements.sweep, &[Parameter::count(batch)]).await?;
            let removed = row::count(&result.rows)?;
            all += removed;
            if removed < batch {
                self.within_limit().write(&self.0.statements.sweep_generations, &[]).await?;
                return Ok(all);
            }
        }
    }

    fn within_limit(&self) -> WithinLimit<'_> {
        self.0.connections.within_limit()
    }

    async fn load_within(&self, limit: WithinLimit<'_>, id: &SessionId) -> Result<Option<Record>, StoreError> {
        first_record(&limit.read(&self.0.statements.load, &[Parameter::id(id)]).await?)
    }
}

/// Holds the store weakly, and ends with its last clone.
async fn sweep_until_closed(store: Weak<Shared>, sweep: Sweep) {
    while let Some(pause) = sweep.pause() {
        tokio::time::sleep(pause).await;
        let Some(shared) = store.upgrade() else { return };
        if let Err(error) = PostgresStore(shared).sweep().await {
            Sweep::report_failure(&error);
        }
    }
}

fn first_record(rows: &[Row]) -> Result<Option<Record>, StoreError> {
    Ok(rows.first().map(row::record).transpose()?.flatten())
}

impl SessionStore for PostgresStore {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.load_within(self.within_limit(), id).await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let parameters = [
            Parameter::id(id),
            Parameter::epoch(record.epoch),
            Parameter::epoch(record.identity_epoch),
            Parameter::hash(Some(&record.verifier)),
            Parameter::hash(record.previous.as_ref()),
            Parameter::raw(record.identity.as_ref()),
            Parameter::raw(record.cookie.as_ref()),
            Parameter::Json(text::fields(record.fields.iter())),
            Parameter::Json(text::marks(record.fields.iter())),
            Parameter::Interval(lifetime.idle.min(lifetime.absolute)),
        ];
        let result = self.within_limit().write(&self.0.statements.insert, &parameters).await?;
        Ok(if result.changed == 0 { Inserted::Taken } else { Inserted::Inserted })
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        let statement = UpdateStatement::patch(&self.0.statements.table, id, patch, lifetime);
        let limit = self.within_limit();
        let result = limit.write(&statement.text, &statement.parameters).await?;
        let record = if statement.returns_record {
            let renewed = result.rows.first().map(|row| column(row, "renewed")).transpose()?;
            if let Some(renewed) = renewed.flatten() {
                return Ok(Updated::Applied { renewed });
            }
            first_record(&result.rows)?
        } else {
            if result.changed > 0 {
                return Ok(Updated::Applied { renewed: true });
            }
            self.load_within(limit, id).await?
        };
        Ok(match record {
            None => Updated::Missing,
            Some(record) if record.is_tombstone() || record.epoch != patch.epoch => Updated::Superseded,
            Some(record) => Updated::Conflict(Box::new(record)),
        })
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        let statement = UpdateStatement::touch(&self.0.statements.table, id, epoch, lifetime);
        let limit = self.within_limit();
        if limit.write(&statement.text, &statement.parameters).await?.changed > 0 {
            return Ok(Touched::Applied);
        }
        Ok(match self.load_within(limit, id).await? {
            None => Touched::Missing,
            Some(record) if record.is_tombstone() || record.epoch != epoch => Touched::Superseded,
            // It was about to expire, and another request has extended it in between.
            Some(_) => Touched::Applied,
        })
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let epoch = epoch.map_or(Parameter::Number(None), Parameter::epoch);
        let result = self.within_limit().write(&self.0.statements.destroy, &[Parameter::id(id), epoch]).await?;
        let done: Option<Option<bool>> = result.rows.first().map(|row| column(row, "done")).transpose()?;
        Ok(match done {
            None => Destroyed::Missing,
            Some(None | Some(false)) => Destroyed::Superseded,
            Some(Some(true)) => Destroyed::Destroyed,
        })
    }
}

/// In the order of ids. [`len`](EnumerateSessions::len) reads the whole table.
impl EnumerateSessions for PostgresStore {
    async fn len(&self) -> Result<usize, StoreError> {
        row::count(&self.within_limit().read(&self.0.statements.len, &[]).await?)
    }

    async fn ids(&self, from: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let after = from.map_or("", Cursor::as_str);
        if after.contains('\0') {
            return Err(StoreError::new(StoreErrorKind::Refused));
        }
        let parameters = [Parameter::Text(Some(Cow::Borrowed(after))), Parameter::count(limit)];
        let rows = self.within_limit().read(&self.0.statements.ids, &parameters).await?;
        // The text in the table, which may not be an id: the next page then continues after it.
        let last: Option<&str> = rows.last().filter(|_| rows.len() >= limit).map(|row| column(row, 0)).transpose()?;
        Ok(Page::new(row::ids(&rows)?, last.map(Cursor::new)))
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let parameters = [Parameter::Text(Some(Cow::Owned(after))), Parameter::count(self.0.sweep.batch_size())];
            let result = self.within_limit().write(&self.0.statements.clear, &parameters).await?;
            let last: Option<String> = result.rows.first().map(|row| column(row, 0)).transpose()?.flatten();
            match last {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }
}

/// The column `identity` has an index.
impl IndexSessions for PostgresStore {
    async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        let rows = self.within_limit().read(&self.0.statements.generation, &[Parameter::hash_of(identity)]).await?;
        let generation: Option<i64> = rows.first().map(|row| column(row, 0)).transpose()?;
        Ok(generation.map_or(Generation::NONE, |generation| Generation(generation.cast_unsigned())))
    }

    async fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Result<(), StoreError> {
        let parameters = [
            Parameter::hash_of(identity),
            Parameter::Number(Some(generation.0.cast_signed())),
            Parameter::Interval(GENERATION_LIFETIME),
        ];
        self.within_limit().write(&self.0.statements.raise_generation, &parameters).await.map(|_| ())
    }

    async fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        let time_limit = self.within_limit();
        let mut after = after.map_or(Cow::Borrowed(""), |id| text::encode(id.as_bytes()));
        let mut linked = Vec::new();
        // Reads on as long as there are rows: an empty page means the end of the list, but a full page of rows may hold no text
        // that is an id.
        loop {
            let parameters = [Parameter::raw(Some(identity)), Parameter::Text(Some(after)), Parameter::count(limit)];
            let rows = time_limit.read(&self.0.statements.linked, &parameters).await?;
            linked.extend(row::ids(&rows)?);
            if linked.len() >= limit || rows.len() < limit {
                linked.truncate(limit);
                return Ok(linked);
            }
            let last: Option<String> = rows.last().map(|row| column(row, 0)).transpose()?;
            after = Cow::Owned(last.unwrap_or_default());
        }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("table", &self.0.statements.table)
            .field("connections", &self.0.connections.pool.status().max_size)
            .field("time_limit", &self.0.connections.time_limit)
            .field("sweep", &self.0.sweep)
            .finish_non_exhaustive()
    }
}
