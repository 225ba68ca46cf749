//! Sessions in PostgreSQL, for any number of machines.
//!
//! The README has set-up, guarantees and figures.
//!
//! # The tables
//!
//! A row is a session that a person can read. Times are by the server's clock.
//!
//! | column | |
//! |---|---|
//! | `id` | the [id](http_session_store::SessionId) |
//! | `epoch` | counts changes of the verifier |
//! | `identity_epoch` | the epoch in which the identity last changed |
//! | `verifier` | SHA-256 of the secret in the cookie; null: the session was destroyed, within the last minute |
//! | `previous` | of the one before, while that is still valid |
//! | `identity` | who is signed in, as JSON |
//! | `cookie` | the session's own cookie attributes, as a JSON object |
//! | `fields` | the fields: a JSON object whose values are the values' JSON, as strings |
//! | `keep` | fields that outlive a change of identity: a JSON object of `"sign_in"` and `"always"` |
//! | `created`, `identity_changed`, `verifier_changed`, `touched` | when each of these was last so |
//! | `expires` | when the session ends; never used after that, removed by a [sweep](http_session_store::Sweep) |
//!
//! A text whose bytes are not UTF-8, hold a NUL or begin with a backslash is `\x` and its bytes in hexadecimal.
//!
//! A second table, `http_session_generations`, has a row for each identity whose sessions were [ended
//! together](http_session_store::IndexSessions) within the last day: `identity_hash` (SHA-256), `generation`, `expires`.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Weak};

/// The pool and, in it, the driver: for [`PostgresOptions::with_pool`].
pub use ::deadpool_postgres as driver;
use deadpool_postgres::tokio_postgres::Row as SqlRow;
use tokio::time::Instant;

use self::connection::Connections;
use self::failure::Access;
pub use self::options::PostgresOptions;
use self::schema::{SCHEMA, Tables};
use self::statements::Statements;
use self::update::Update;
use self::value::{Value, column};
use http_session_store::SessionId;
use http_session_store::error::{ConnectError, StoreError, StoreErrorKind};
use http_session_store::record::{Epoch, Lifetime, Patch, RawJson, Record};
use http_session_store::{
    Cursor, Destroyed, EnumerateSessions, GENERATION_LIFETIME, Generation, IndexSessions, Inserted, Page, SessionStore,
    Sweep, Touched, Updated, text,
};

mod connection;
mod failure;
mod options;
mod schema;
mod statements;
#[cfg(feature = "tls")]
mod tls;
mod update;
mod url;
mod value;

/// Sessions in PostgreSQL, from version 12 on: any number of processes on any number of machines share them.
///
/// Each call is one statement, a transaction of its own, and one round trip. The row is locked for as long as the statement
/// runs. Where a field that is merged was changed meanwhile, the statement answers with the row, the middleware merges, and
/// asks again (R10).
///
/// Clones are one store, with one pool. A connection that broke is replaced by itself.
///
/// ```no_run
/// use http_session_postgres::{PostgresStore, Secret, SessionConfig};
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
    /// The statements that make the tables, for a migration. [`PostgresOptions::schema`] has them for another name.
    ///
    /// ```
    /// # use http_session_postgres::PostgresStore;
    /// assert!(PostgresStore::SCHEMA.contains("create table if not exists http_session ("));
    /// ```
    pub const SCHEMA: &str = SCHEMA;

    /// Connects with the [defaults](Self::options), and makes the tables where they are missing.
    ///
    /// # Errors
    /// As [`PostgresOptions::connect`].
    ///
    /// ```no_run
    /// # use http_session_postgres::PostgresStore;
    /// # async fn connect() -> Result<(), http_session_store::error::ConnectError> {
    /// let store = PostgresStore::connect("postgres://shop@db.internal/shop").await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::options().connect(url).await
    }

    /// Table, connections, time limit, sweep.
    ///
    /// ```
    /// # use http_session_postgres::PostgresStore;
    /// let options = PostgresStore::options().connections(20);
    /// ```
    pub fn options() -> PostgresOptions {
        PostgresOptions::new()
    }

    fn open(connections: Connections, tables: &Tables, sweep: Sweep) -> Self {
        let statements = Statements::new(tables.sessions(), &tables.generations());
        let shared = Arc::new(Shared { connections, statements, sweep });
        if sweep.pause().is_some() {
            tokio::spawn(sweep_for_ever(Arc::downgrade(&shared), sweep));
        }
        Self(shared)
    }

    /// Removes the rows that have expired, batch by batch, and says how many. Rows that another process is removing are left to
    /// it.
    ///
    /// # Errors
    /// The store failed. What was removed before stays so.
    ///
    /// ```no_run
    /// # async fn sweep(store: http_session_postgres::PostgresStore) -> Result<(), http_session_store::error::StoreError> {
    /// println!("{} rows removed", store.sweep().await?);
    /// # Ok(()) }
    /// ```
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let batch = self.0.sweep.batch_size();
        let mut all = 0;
        loop {
            let removed = self.write(&self.0.statements.sweep, &[Value::count(batch)]).await?;
            let removed = number(&removed)?;
            all += removed;
            if removed < batch {
                self.write(&self.0.statements.sweep_generations, &[]).await?;
                return Ok(all);
            }
        }
    }

    async fn read(&self, statement: &str, values: &[Value<'_>]) -> Result<Vec<SqlRow>, StoreError> {
        self.0.connections.run(Access::Read, statement, values).await
    }

    /// The row, for a call that has to be over then.
    async fn load_until(&self, deadline: Instant, id: &SessionId) -> Result<Option<Record>, StoreError> {
        let (statement, values) = (&self.0.statements.load, [Value::id(id)]);
        let found = self.0.connections.run_until(deadline, Access::Read, statement, &values).await?;
        Ok(found.first().map(|found| value::row(found, 0)).transpose()?.flatten())
    }

    async fn write(&self, statement: &str, values: &[Value<'_>]) -> Result<Vec<SqlRow>, StoreError> {
        self.0.connections.run(Access::Write, statement, values).await
    }
}

/// Until the last clone of the store is gone.
async fn sweep_for_ever(store: Weak<Shared>, sweep: Sweep) {
    while let Some(pause) = sweep.pause() {
        tokio::time::sleep(pause).await;
        let Some(shared) = store.upgrade() else { return };
        if let Err(error) = PostgresStore(shared).sweep().await {
            Sweep::report_failure(&error);
        }
    }
}

/// A count that a statement gave.
fn number(rows: &[SqlRow]) -> Result<usize, StoreError> {
    let number: i64 = rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or_default();
    Ok(usize::try_from(number).unwrap_or_default())
}

/// The ids among these; what is no id was written by somebody else, and no cookie names it.
fn ids(rows: &[SqlRow]) -> Result<Vec<SessionId>, StoreError> {
    let stored: Vec<&str> = rows.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
    Ok(stored.into_iter().filter_map(value::id).collect())
}

/// Whether a statement on a locked row did what it should; `None` when there is no row.
fn done(rows: &[SqlRow]) -> Result<Option<bool>, StoreError> {
    let Some(row) = rows.first() else { return Ok(None) };
    let done: Option<bool> = column(row, 0)?;
    Ok(Some(done.unwrap_or_default()))
}

impl SessionStore for PostgresStore {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.load_until(self.0.connections.deadline(), id).await
    }

    async fn insert(&self, id: &SessionId, row: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let values = [
            Value::id(id),
            Value::epoch(row.epoch),
            Value::epoch(row.identity_epoch),
            Value::hash(Some(&row.verifier)),
            Value::hash(row.previous.as_ref()),
            Value::raw(row.identity.as_ref()),
            Value::raw(row.cookie.as_ref()),
            Value::Json(text::fields(row.fields.iter())),
            Value::Json(text::marks(row.fields.iter())),
            Value::Span(lifetime.idle.min(lifetime.absolute)),
        ];
        let connections = &self.0.connections;
        let inserted = connections.change_until(connections.deadline(), &self.0.statements.insert, &values).await?;
        Ok(if inserted == 0 { Inserted::Taken } else { Inserted::Inserted })
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        let Update { statement, values, explains } = Update::patch(&self.0.statements.table, id, patch, lifetime);
        let deadline = self.0.connections.deadline();
        let found = if explains {
            let answer = self.0.connections.run_until(deadline, Access::Write, &statement, &values).await?;
            if let Some(renewed) = answer.first().map(|answer| column(answer, 0)).transpose()?.flatten() {
                return Ok(Updated::Applied { renewed });
            }
            answer.first().map(|answer| value::row(answer, 1)).transpose()?.flatten()
        } else {
            if self.0.connections.change_until(deadline, &statement, &values).await? > 0 {
                return Ok(Updated::Applied { renewed: true });
            }
            self.load_until(deadline, id).await?
        };
        Ok(match found {
            None => Updated::Missing,
            Some(row) if row.is_tombstone() || row.epoch != patch.epoch => Updated::Superseded,
            Some(row) => Updated::Conflict(Box::new(row)),
        })
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        let Update { statement, values, .. } = Update::touch(&self.0.statements.table, id, epoch, lifetime);
        let deadline = self.0.connections.deadline();
        if self.0.connections.change_until(deadline, &statement, &values).await? > 0 {
            return Ok(Touched::Applied);
        }
        Ok(match self.load_until(deadline, id).await? {
            None => Touched::Missing,
            Some(row) if row.is_tombstone() || row.epoch != epoch => Touched::Superseded,
            // Another request has extended its life at its very end.
            Some(_) => Touched::Applied,
        })
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let epoch = epoch.map_or(Value::Number(None), Value::epoch);
        Ok(match done(&self.write(&self.0.statements.destroy, &[Value::id(id), epoch]).await?)? {
            None => Destroyed::Missing,
            Some(false) => Destroyed::Superseded,
            Some(true) => Destroyed::Destroyed,
        })
    }
}

/// In the order of ids. [`len`](EnumerateSessions::len) reads the whole table.
impl EnumerateSessions for PostgresStore {
    async fn len(&self) -> Result<usize, StoreError> {
        number(&self.read(&self.0.statements.len, &[]).await?)
    }

    async fn ids(&self, from: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let after = from.map_or("", Cursor::as_str);
        if after.contains('\0') {
            return Err(StoreError::new(StoreErrorKind::Refused));
        }
        let values = [Value::Text(Some(Cow::Borrowed(after))), Value::count(limit)];
        let rows = self.read(&self.0.statements.ids, &values).await?;
        // As it stands in the table, so that what is no id is passed by.
        let last: Option<&str> = rows.last().filter(|_| rows.len() >= limit).map(|row| column(row, 0)).transpose()?;
        Ok(Page::new(ids(&rows)?, last.map(Cursor::new)))
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let values = [Value::Text(Some(Cow::Owned(after))), Value::count(self.0.sweep.batch_size())];
            let rows = self.write(&self.0.statements.clear, &values).await?;
            let last: Option<String> = rows.first().map(|row| column(row, 0)).transpose()?.flatten();
            match last {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }
}

/// The index is the column of the identity.
impl IndexSessions for PostgresStore {
    async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        let rows = self.read(&self.0.statements.generation, &[Value::hash_of(identity)]).await?;
        let generation: Option<i64> = rows.first().map(|row| column(row, 0)).transpose()?;
        Ok(generation.map_or(Generation::NONE, |generation| Generation(generation.cast_unsigned())))
    }

    async fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Result<(), StoreError> {
        let values = [
            Value::hash_of(identity),
            Value::Number(Some(generation.0.cast_signed())),
            Value::Span(GENERATION_LIFETIME),
        ];
        self.write(&self.0.statements.raise_generation, &values).await.map(|_| ())
    }

    async fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        let deadline = self.0.connections.deadline();
        let mut after = after.map_or(Cow::Borrowed(""), |id| text::encode(id.as_bytes()));
        let mut linked = Vec::new();
        // As long as there are rows: an empty page is the end of the list, and a full one may hold nothing that is an id.
        loop {
            let values = [Value::raw(Some(identity)), Value::Text(Some(after)), Value::count(limit)];
            let statement = &self.0.statements.linked;
            let rows = self.0.connections.run_until(deadline, Access::Read, statement, &values).await?;
            linked.extend(ids(&rows)?);
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
