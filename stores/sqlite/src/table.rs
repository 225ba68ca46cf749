//! The statements, and rows as entries. Everything here runs on a thread of the store's own.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, ToSql, params};

use super::failure;
use super::schema::Statements;
use http_session_store::Moments;
use http_session_store::SessionId;
use http_session_store::clock::{Clock, milliseconds};
use http_session_store::error::{InvalidEntry, StoreError, StoreErrorKind};
use http_session_store::record::{Epoch, Fields, Lifetime, Patch, RawJson, Record, VerifierHash};
use http_session_store::{
    Cursor, Destroyed, Entry, GENERATION_LIFETIME, Generation, Inserted, Page, Touched, Updated, text,
};

/// A connection and what is asked of it.
pub(super) struct Table {
    pub(super) connection: Connection,
    pub(super) statements: Arc<Statements>,
    pub(super) clock: Arc<dyn Clock>,
}

type Answer<T> = Result<T, StoreError>;

/// A row whose fields are not read yet: whoever asked does that, while the thread goes on.
pub(super) struct Found {
    entry: Entry,
    texts: Texts,
    now: Duration,
}

impl Found {
    pub(super) fn row(self) -> Answer<Record> {
        let fields = text::parse(&self.texts.fields, &self.texts.keep)?;
        Ok(Entry { fields, ..self.entry }.record(self.now))
    }
}

/// Fields as the table has them.
#[derive(Clone, PartialEq)]
pub(super) struct Texts {
    keep: String,
    fields: String,
}

impl Texts {
    pub(super) fn of(fields: &Fields) -> Self {
        Self { keep: text::marks(fields.iter()), fields: text::fields(fields.iter()) }
    }
}

/// An update, and what its fields are as texts: made where there is more than one thread to make them.
pub(super) struct Asked {
    pub(super) id: SessionId,
    pub(super) patch: Patch,
    base: Texts,
    result: Texts,
}

impl Asked {
    pub(super) fn new(id: &SessionId, patch: &Patch) -> Self {
        let (base, result) = (Texts::of(&patch.base), Texts::of(&patch.result));
        Self { id: id.clone(), patch: patch.clone(), base, result }
    }

    /// The fields of a row. Nearly always nobody has written since they were loaded; then they need not be read again.
    fn theirs(&self, keep: &str, fields: &str) -> Result<Fields, InvalidEntry> {
        if self.base.keep == keep && self.base.fields == fields {
            return Ok(self.patch.base.clone());
        }
        text::parse(fields, keep)
    }
}

impl Table {
    pub(super) fn load(&self, id: &SessionId) -> Answer<Option<Found>> {
        let now = self.now();
        let read = |row: &rusqlite::Row<'_>| {
            let mut texts = Texts { keep: String::new(), fields: String::new() };
            let entry = whole(row, |keep, fields| {
                texts = Texts { keep: keep.to_owned(), fields: fields.to_owned() };
                Ok(Fields::EMPTY)
            })?;
            Ok(Found { entry, texts, now })
        };
        self.find(&self.statements.load, id, now, read)
    }

    pub(super) fn insert(&self, id: &SessionId, row: &Record, texts: &Texts, lifetime: Lifetime) -> Answer<Inserted> {
        let now = self.now();
        let entry = Entry::new(row, lifetime, now);
        let written = self.write(&self.statements.insert, id, &entry, texts, &[&milliseconds(now)])?;
        Ok(if written == 0 { Inserted::Taken } else { Inserted::Inserted })
    }

    pub(super) fn update(&self, asked: &Asked, lifetime: Lifetime) -> Answer<Updated> {
        let (id, patch, now) = (&asked.id, &asked.patch, self.now());
        let read = |row: &rusqlite::Row<'_>| whole(row, |keep, fields| asked.theirs(keep, fields));
        let Some(old) = self.find(&self.statements.load, id, now, read)? else { return Ok(Updated::Missing) };
        let mut new = old.clone();
        let updated = new.update(patch, lifetime, now);
        if let Updated::Applied { .. } = updated {
            self.replace(id, &old, &new, asked)?;
        }
        Ok(updated)
    }

    /// Writes what is new of an entry. An index is written for each column that a statement names, so it names few.
    fn replace(&self, id: &SessionId, old: &Entry, new: &Entry, asked: &Asked) -> Answer<()> {
        let is_as_asked = new.fields.same_block(&asked.patch.result);
        let merged = (!is_as_asked).then(|| Texts::of(&new.fields));
        let texts = merged.as_ref().unwrap_or(&asked.result);
        let (end, touched) = (new.end, new.moments.touched);
        let moments = Moments { touched, ..old.moments };
        if *new == (Entry { fields: new.fields.clone(), end, moments, ..old.clone() }) {
            let written = (key(id), milliseconds(end), milliseconds(touched), &texts.keep, &texts.fields);
            self.execute(&self.statements.update_fields, written)?;
        } else {
            self.write(&self.statements.update, id, new, texts, &[])?;
        }
        Ok(())
    }

    pub(super) fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Answer<Touched> {
        let now = self.now();
        let Some(mut entry) = self.find(&self.statements.head, id, now, head)? else { return Ok(Touched::Missing) };
        let touched = entry.touch(epoch, lifetime, now);
        if touched == Touched::Applied {
            let moments = (key(id), milliseconds(entry.moments.touched), milliseconds(entry.end));
            self.execute(&self.statements.touch, moments)?;
        }
        Ok(touched)
    }

    /// What it destroys need not be readable, unless the epoch has to be compared (R16).
    pub(super) fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Answer<Destroyed> {
        let now = self.now();
        let mut entry = match self.find(&self.statements.head, id, now, head) {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(Destroyed::Missing),
            Err(error) if epoch.is_none() && is_malformed(&error) => {
                self.execute(&self.statements.remove, [key(id)])?;
                return Ok(Destroyed::Destroyed);
            }
            Err(error) => return Err(error),
        };
        let destroyed = entry.destroy(epoch, now);
        if destroyed == Destroyed::Destroyed {
            self.write(&self.statements.update, id, &entry, &Texts::of(&entry.fields), &[])?;
        }
        Ok(destroyed)
    }

    /// The live ones of the next few rows, in the order in which they came: all of them at once would keep others waiting.
    pub(super) fn count(&self, after: i64) -> Answer<Count> {
        const ROWS: i64 = 5000;
        let mut statement = self.prepare(&self.statements.count)?;
        let counted = statement.query_row((after, ROWS, milliseconds(self.now())), |row| {
            let (rows, live): (i64, i64) = (row.get(0)?, row.get(1)?);
            let next = if rows < ROWS { None } else { row.get(2)? };
            Ok(Count { live: usize::try_from(live).unwrap_or_default(), next })
        });
        counted.map_err(failure::of_statement)
    }

    /// Where the next page begins is the last key of this one, whether that is an id or not.
    pub(super) fn ids(&self, from: Option<&Cursor>, limit: usize) -> Answer<Page> {
        let after = from.map_or(Some(Cow::Borrowed(b"".as_slice())), |from| text::decode(from.as_str()));
        let after = after.ok_or_else(|| StoreError::new(StoreErrorKind::Refused))?;
        let keys = self.keys(&self.statements.ids, params![after, milliseconds(self.now()), count(limit)])?;
        let next = keys.last().filter(|_| keys.len() >= limit).map(|last| Cursor::new(text::encode(last)));
        Ok(Page::new(keys.iter().filter_map(|key| id(key)).collect(), next))
    }

    /// Goes on behind keys that are no ids: nobody shall take these for the end.
    pub(super) fn linked(&self, identity: &RawJson, after: Option<&SessionId>, limit: usize) -> Answer<Vec<SessionId>> {
        let identity = text::encode(identity.as_bytes());
        let mut after = after.map(|id| key(id).into_owned().into_bytes()).unwrap_or_default();
        let mut ids = Vec::new();
        loop {
            let wanted = limit - ids.len();
            let params = params![identity, after, milliseconds(self.now()), count(wanted)];
            let mut keys = self.keys(&self.statements.linked, params)?;
            ids.extend(keys.iter().filter_map(|key| id(key)));
            let is_full = keys.len() >= wanted;
            match keys.pop() {
                Some(last) if is_full && ids.len() < limit => after = last,
                _ => return Ok(ids),
            }
        }
    }

    pub(super) fn generation(&self, identity: &RawJson) -> Answer<Generation> {
        let mut statement = self.prepare(&self.statements.generation)?;
        let found = statement.query_row([text::encode(identity.as_bytes())], |row| row.get(0));
        let found: Option<i64> = found.optional().map_err(failure::of_statement)?;
        Ok(found.map_or(Generation::NONE, |generation| Generation(generation.cast_unsigned())))
    }

    pub(super) fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Answer<()> {
        let end = self.now() + GENERATION_LIFETIME;
        let identity = text::encode(identity.as_bytes());
        let raised = params![identity, generation.0.cast_signed(), milliseconds(end)];
        self.execute(&self.statements.raise_generation, raised)?;
        Ok(())
    }

    /// Removes up to so many rows whose time is over, and tells how many.
    pub(super) fn sweep(&self, limit: usize) -> Answer<usize> {
        self.execute(&self.statements.sweep, (milliseconds(self.now()), count(limit)))
    }

    /// The same of generations.
    pub(super) fn sweep_generations(&self) -> Answer<usize> {
        self.execute(&self.statements.sweep_generations, [milliseconds(self.now())])
    }

    /// A statement without parameters and rows.
    pub(super) fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Ends a transaction whose end has failed: none of the calls that follow shall be in it.
    pub(super) fn leave_transaction(&self) {
        if !self.connection.is_autocommit() {
            let _ = self.run("ROLLBACK");
        }
    }

    /// In whole milliseconds, as the table has it.
    fn now(&self) -> Duration {
        Duration::from_millis(milliseconds(self.clock.unix()).cast_unsigned())
    }

    fn prepare(&self, sql: &str) -> Answer<CachedStatement<'_>> {
        self.connection.prepare_cached(sql).map_err(failure::of_statement)
    }

    fn execute(&self, sql: &str, params: impl Params) -> Answer<usize> {
        self.prepare(sql)?.execute(params).map_err(failure::of_statement)
    }

    fn find<T>(
        &self,
        sql: &str,
        id: &SessionId,
        now: Duration,
        read: impl FnOnce(&rusqlite::Row<'_>) -> Result<T, InvalidEntry>,
    ) -> Answer<Option<T>> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query((key(id), milliseconds(now))).map_err(failure::of_statement)?;
        let found = rows.next().map_err(failure::of_statement)?;
        Ok(found.map(read).transpose()?)
    }

    /// Runs a statement that takes all columns, in the order of the table, and then others.
    fn write(&self, sql: &str, id: &SessionId, entry: &Entry, texts: &Texts, others: &[&dyn ToSql]) -> Answer<usize> {
        let moments = entry.moments;
        let columns: [&dyn ToSql; 14] = [
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
            &texts.keep,
            &texts.fields,
        ];
        let mut statement = self.prepare(sql)?;
        let params = rusqlite::params_from_iter(columns.iter().chain(others));
        statement.execute(params).map_err(failure::of_statement)
    }

    /// As they stand there: somebody else may have written one that is no UTF-8.
    fn keys(&self, sql: &str, params: impl Params) -> Answer<Vec<Vec<u8>>> {
        let mut statement = self.prepare(sql)?;
        let keys = statement.query_map(params, |row| Ok(row.get_ref(0)?.as_bytes()?.to_vec()));
        let keys = keys.map_err(failure::of_statement)?;
        keys.collect::<Result<_, _>>().map_err(failure::of_statement)
    }
}

/// Some of the rows.
pub(super) struct Count {
    pub(super) live: usize,
    /// Where the others begin.
    pub(super) next: Option<i64>,
}

fn key(id: &SessionId) -> Cow<'_, str> {
    text::encode(id.as_bytes())
}

/// The id of a key, unless somebody else wrote it.
fn id(key: &[u8]) -> Option<SessionId> {
    let bytes = text::decode(std::str::from_utf8(key).ok()?)?;
    SessionId::try_from(std::str::from_utf8(&bytes).ok()?).ok()
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn is_malformed(error: &StoreError) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<InvalidEntry>())
}

// Rows

/// The columns of [`head`], and all.
fn whole(
    row: &rusqlite::Row<'_>,
    parse: impl FnOnce(&str, &str) -> Result<Fields, InvalidEntry>,
) -> Result<Entry, InvalidEntry> {
    let (identity, cookie) = (text_at(row, 9)?, text_at(row, 10)?);
    let json = |text: Option<&str>| {
        let bytes = text.map(|text| text::decode(text).ok_or(InvalidEntry::MALFORMED)).transpose()?;
        Ok(bytes.map(|bytes| RawJson::new(&bytes)))
    };
    let (Some(keep), Some(fields)) = (text_at(row, 11)?, text_at(row, 12)?) else {
        return Err(InvalidEntry::MALFORMED);
    };
    let fields = parse(keep, fields)?;
    Ok(Entry { identity: json(identity)?, cookie: json(cookie)?, fields, ..head(row)? })
}

/// What a row has beside its values.
fn head(row: &rusqlite::Row<'_>) -> Result<Entry, InvalidEntry> {
    Ok(Entry {
        end: moment_at(row, 0)?,
        epoch: Epoch(number_at(row, 1)?.cast_unsigned()),
        identity_epoch: Epoch(number_at(row, 2)?.cast_unsigned()),
        verifier: hash_at(row, 3)?.unwrap_or(VerifierHash::NONE),
        previous: hash_at(row, 4)?,
        moments: Moments {
            created: moment_at(row, 5)?,
            identity: moment_at(row, 6)?,
            verifier: moment_at(row, 7)?,
            touched: moment_at(row, 8)?,
        },
        identity: None,
        cookie: None,
        fields: Fields::EMPTY,
    })
}

fn number_at(row: &rusqlite::Row<'_>, place: usize) -> Result<i64, InvalidEntry> {
    match row.get_ref(place) {
        Ok(ValueRef::Integer(number)) => Ok(number),
        _ => Err(InvalidEntry::MALFORMED),
    }
}

fn moment_at(row: &rusqlite::Row<'_>, place: usize) -> Result<Duration, InvalidEntry> {
    let milliseconds = u64::try_from(number_at(row, place)?).map_err(|_| InvalidEntry::MALFORMED)?;
    Ok(Duration::from_millis(milliseconds))
}

fn hash_at(row: &rusqlite::Row<'_>, place: usize) -> Result<Option<VerifierHash>, InvalidEntry> {
    match row.get_ref(place) {
        Ok(ValueRef::Null) => Ok(None),
        Ok(ValueRef::Blob(hash)) => Ok(Some(VerifierHash(hash.try_into().map_err(|_| InvalidEntry::MALFORMED)?))),
        _ => Err(InvalidEntry::MALFORMED),
    }
}

fn text_at<'row>(row: &'row rusqlite::Row<'_>, place: usize) -> Result<Option<&'row str>, InvalidEntry> {
    match row.get_ref(place) {
        Ok(ValueRef::Null) => Ok(None),
        Ok(ValueRef::Text(text)) => std::str::from_utf8(text).map(Some).map_err(|_| InvalidEntry::MALFORMED),
        _ => Err(InvalidEntry::MALFORMED),
    }
}
