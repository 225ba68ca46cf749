//! The statements of the store's calls. Everything here runs on a thread of the store.

use std::borrow::Cow;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use http_session_store::clock::{Clock, milliseconds};
use http_session_store::error::{InvalidEntry, StoreError, StoreErrorKind};
use http_session_store::record::{Epoch, Lifetime, RawJson, Record};
use http_session_store::{
    Cursor, Destroyed, Entry, GENERATION_LIFETIME, Generation, Inserted, Moments, Page, SessionId, Touched, Updated,
    text,
};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, Row, ToSql, params};

use crate::failure;
use crate::row::{FieldColumns, LoadedRow, PreparedUpdate, read_head};
use crate::schema::Statements;

/// A connection, and the statements for the table.
pub(crate) struct Table {
    pub(crate) connection: Connection,
    pub(crate) statements: Arc<Statements>,
    pub(crate) clock: Arc<dyn Clock>,
}

type StoreResult<T> = Result<T, StoreError>;

impl Table {
    pub(crate) fn load(&self, id: &SessionId) -> StoreResult<Option<LoadedRow>> {
        let now = self.now();
        self.find(&self.statements.load, id, now, |row| LoadedRow::read(row, now))
    }

    pub(crate) fn insert(
        &self,
        id: &SessionId,
        record: &Record,
        columns: &FieldColumns,
        lifetime: Lifetime,
    ) -> StoreResult<Inserted> {
        let now = self.now();
        let entry = Entry::new(record, lifetime, now);
        let written = self.write(&self.statements.insert, id, &entry, columns, &[&milliseconds(now)])?;
        Ok(if written == 0 { Inserted::Taken } else { Inserted::Inserted })
    }

    pub(crate) fn update(&self, update: &PreparedUpdate, lifetime: Lifetime) -> StoreResult<Updated> {
        let (id, now) = (&update.id, self.now());
        let Some(old) = self.find(&self.statements.load, id, now, |row| update.read(row))? else {
            return Ok(Updated::Missing);
        };
        let mut new = old.clone();
        let updated = new.update(&update.patch, lifetime, now);
        if matches!(updated, Updated::Applied { .. }) {
            self.replace(&old, &new, update)?;
        }
        Ok(updated)
    }

    /// Writes what has changed of an entry.
    fn replace(&self, old: &Entry, new: &Entry, update: &PreparedUpdate) -> StoreResult<()> {
        let id = &update.id;
        // Other fields may have changed since the caller loaded them. Then the row has those changes too.
        let is_prepared = new.fields.same_block(&update.patch.result);
        let joined = (!is_prepared).then(|| FieldColumns::new(&new.fields));
        let columns = joined.as_ref().unwrap_or(&update.result);
        let (end, touched) = (new.end, new.moments.touched);
        let moments = Moments { touched, ..old.moments };
        // SQLite writes an index for each indexed column that a statement names, changed or not. Most updates change fields only,
        // and their statement leaves out `identity`.
        if *new == (Entry { fields: new.fields.clone(), end, moments, ..old.clone() }) {
            let values = (key(id), milliseconds(end), milliseconds(touched), &columns.keep, &columns.fields);
            self.execute(&self.statements.update_fields, values)?;
        } else {
            self.write(&self.statements.update, id, new, columns, &[])?;
        }
        Ok(())
    }

    pub(crate) fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> StoreResult<Touched> {
        let now = self.now();
        let Some(mut entry) = self.find(&self.statements.head, id, now, read_head)? else {
            return Ok(Touched::Missing);
        };
        let touched = entry.touch(epoch, lifetime, now);
        if touched == Touched::Applied {
            let values = (key(id), milliseconds(entry.moments.touched), milliseconds(entry.end));
            self.execute(&self.statements.touch, values)?;
        }
        Ok(touched)
    }

    pub(crate) fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> StoreResult<Destroyed> {
        let now = self.now();
        let mut entry = match self.find(&self.statements.head, id, now, read_head) {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(Destroyed::Missing),
            // A row that cannot be read can still be destroyed, unless its epoch has to be compared (R16).
            Err(error) if epoch.is_none() && is_malformed(&error) => {
                self.execute(&self.statements.remove, [key(id)])?;
                return Ok(Destroyed::Destroyed);
            }
            Err(error) => return Err(error),
        };
        let destroyed = entry.destroy(epoch, now);
        if destroyed == Destroyed::Destroyed {
            self.write(&self.statements.update, id, &entry, &FieldColumns::new(&entry.fields), &[])?;
        }
        Ok(destroyed)
    }

    /// Counts the live sessions of the next few thousand rows, in the order in which they were inserted. To count all rows at
    /// once would keep other reads waiting.
    pub(crate) fn count(&self, after: i64) -> StoreResult<CountedRows> {
        const MAX_ROWS: i64 = 5000;
        let mut statement = self.prepare(&self.statements.count)?;
        let counted = statement.query_row((after, MAX_ROWS, milliseconds(self.now())), |row| {
            let (rows, live): (i64, i64) = (row.get(0)?, row.get(1)?);
            let next = if rows < MAX_ROWS { None } else { row.get(2)? };
            Ok(CountedRows { live: usize::try_from(live).unwrap_or_default(), next })
        });
        counted.map_err(failure::of_statement)
    }

    /// The cursor is the last key of a page, even if that key is not an id.
    pub(crate) fn ids(&self, from: Option<&Cursor>, limit: usize) -> StoreResult<Page> {
        let after = from.map_or(Some(Cow::Borrowed(b"".as_slice())), |from| text::decode(from.as_str()));
        let after = after.ok_or_else(|| StoreError::new(StoreErrorKind::Refused))?;
        let keys = self.keys(&self.statements.ids, params![after, milliseconds(self.now()), as_limit(limit)])?;
        let next = keys.last().filter(|_| keys.len() >= limit).map(|last| Cursor::new(text::encode(last)));
        Ok(Page::new(keys.iter().filter_map(|key| id(key)).collect(), next))
    }

    /// Keys that are not ids are passed over. A short answer means that there are no more sessions, so they must not shorten it.
    pub(crate) fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> StoreResult<Vec<SessionId>> {
        let identity = text::encode(identity.as_bytes());
        let mut after = after.map(|id| key(id).into_owned().into_bytes()).unwrap_or_default();
        let mut ids = Vec::new();
        loop {
            let wanted = limit - ids.len();
            let values = params![identity, after, milliseconds(self.now()), as_limit(wanted)];
            let mut keys = self.keys(&self.statements.linked, values)?;
            ids.extend(keys.iter().filter_map(|key| id(key)));
            let is_full = keys.len() >= wanted;
            match keys.pop() {
                Some(last) if is_full && ids.len() < limit => after = last,
                _ => return Ok(ids),
            }
        }
    }

    pub(crate) fn generation(&self, identity: &RawJson) -> StoreResult<Generation> {
        let mut statement = self.prepare(&self.statements.generation)?;
        let found = statement.query_row([text::encode(identity.as_bytes())], |row| row.get(0));
        let found: Option<i64> = found.optional().map_err(failure::of_statement)?;
        Ok(found.map_or(Generation::NONE, |generation| Generation(generation.cast_unsigned())))
    }

    pub(crate) fn raise_generation(&self, identity: &RawJson, generation: Generation) -> StoreResult<()> {
        let end = self.now() + GENERATION_LIFETIME;
        let identity = text::encode(identity.as_bytes());
        let values = params![identity, generation.0.cast_signed(), milliseconds(end)];
        self.execute(&self.statements.raise_generation, values)?;
        Ok(())
    }

    /// Removes at most this many expired rows, and answers how many it removed.
    pub(crate) fn sweep(&self, limit: usize) -> StoreResult<usize> {
        self.execute(&self.statements.sweep, (milliseconds(self.now()), as_limit(limit)))
    }

    /// Removes all expired generations. There are few.
    pub(crate) fn sweep_generations(&self) -> StoreResult<usize> {
        self.execute(&self.statements.sweep_generations, [milliseconds(self.now())])
    }

    /// Runs a statement without parameters and rows.
    pub(crate) fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Ends a transaction that is still open because its own end failed. The calls that follow must not be part of it.
    pub(crate) fn leave_transaction(&self) {
        if !self.connection.is_autocommit() {
            let _ = self.run("ROLLBACK");
        }
    }

    /// The time in whole milliseconds, as the columns have it. Otherwise a record would differ a little when it is loaded.
    fn now(&self) -> Duration {
        Duration::from_millis(milliseconds(self.clock.unix()).cast_unsigned())
    }

    fn prepare(&self, sql: &str) -> StoreResult<CachedStatement<'_>> {
        self.connection.prepare_cached(sql).map_err(failure::of_statement)
    }

    fn execute(&self, sql: &str, values: impl Params) -> StoreResult<usize> {
        self.prepare(sql)?.execute(values).map_err(failure::of_statement)
    }

    fn find<T>(
        &self,
        sql: &str,
        id: &SessionId,
        now: Duration,
        read: impl FnOnce(&Row<'_>) -> Result<T, InvalidEntry>,
    ) -> StoreResult<Option<T>> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query((key(id), milliseconds(now))).map_err(failure::of_statement)?;
        let found = rows.next().map_err(failure::of_statement)?;
        Ok(found.map(read).transpose()?)
    }

    /// Runs a statement whose parameters are all columns, in the order of the table, and then others.
    fn write(
        &self,
        sql: &str,
        id: &SessionId,
        entry: &Entry,
        columns: &FieldColumns,
        others: &[&dyn ToSql],
    ) -> StoreResult<usize> {
        let moments = entry.moments;
        let values: [&dyn ToSql; 14] = [
            &key(id),
            &milliseconds(entry.end),
            &entry.epoch.0.cast_signed(),
            &entry.identity_epoch.0.cast_signed(),
            &(!entry.is_tombstone()).then_some(entry.verifier.0),
            &entry.previous.map(|previous| previous.0),
            &milliseconds(moments.created),
            &milliseconds(moments.identity),
            &milliseconds(moments.verifier),
            &milliseconds(moments.touched),
            &entry.identity.as_ref().map(|identity| text::encode(identity.as_bytes())),
            &entry.cookie.as_ref().map(|cookie| text::encode(cookie.as_bytes())),
            &columns.keep,
            &columns.fields,
        ];
        let mut statement = self.prepare(sql)?;
        let params = rusqlite::params_from_iter(values.iter().chain(others));
        statement.execute(params).map_err(failure::of_statement)
    }

    /// The keys as bytes, since another program may have written a key that is not UTF-8.
    fn keys(&self, sql: &str, values: impl Params) -> StoreResult<Vec<Vec<u8>>> {
        let mut statement = self.prepare(sql)?;
        let keys = statement.query_map(values, |row| Ok(row.get_ref(0)?.as_bytes()?.to_vec()));
        let keys = keys.map_err(failure::of_statement)?;
        keys.collect::<Result<_, _>>().map_err(failure::of_statement)
    }
}

/// What a count of some rows found.
pub(crate) struct CountedRows {
    pub(crate) live: usize,
    /// After which row the next count begins, if there are more rows.
    pub(crate) next: Option<i64>,
}

fn key(id: &SessionId) -> Cow<'_, str> {
    text::encode(id.as_bytes())
}

/// The id of a key. `None`: the store did not write it.
fn id(key: &[u8]) -> Option<SessionId> {
    let bytes = text::decode(std::str::from_utf8(key).ok()?)?;
    SessionId::try_from(std::str::from_utf8(&bytes).ok()?).ok()
}

fn as_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn is_malformed(error: &StoreError) -> bool {
    error.source().is_some_and(|source| source.is::<InvalidEntry>())
}
