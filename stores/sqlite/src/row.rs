//! Rows of the table, as the contract's entries.

use std::time::Duration;

use http_session_store::error::{InvalidEntry, StoreError};
use http_session_store::record::{Epoch, Fields, Patch, RawJson, Record, VerifierHash};
use http_session_store::{Entry, Moments, SessionId, text};
use rusqlite::Row;
use rusqlite::types::ValueRef;

/// The columns `keep` and `fields`.
#[derive(Clone, PartialEq)]
pub(crate) struct FieldColumns {
    pub(crate) keep: String,
    pub(crate) fields: String,
}

impl FieldColumns {
    pub(crate) fn new(fields: &Fields) -> Self {
        Self { keep: text::marks(fields.iter()), fields: text::fields(fields.iter()) }
    }

    fn parse(&self) -> Result<Fields, InvalidEntry> {
        text::parse(&self.fields, &self.keep)
    }
}

/// A row that was loaded, with fields that are not parsed yet. The task that asked parses them while the reader's thread goes on.
pub(crate) struct LoadedRow {
    entry: Entry,
    columns: FieldColumns,
    now: Duration,
}

impl LoadedRow {
    pub(crate) fn read(row: &Row<'_>, now: Duration) -> Result<Self, InvalidEntry> {
        let (keep, fields) = field_columns(row)?;
        let columns = FieldColumns { keep: keep.to_owned(), fields: fields.to_owned() };
        Ok(Self { entry: read_entry(row, Fields::EMPTY)?, columns, now })
    }

    pub(crate) fn into_record(self) -> Result<Record, StoreError> {
        let fields = self.columns.parse()?;
        Ok(Entry { fields, ..self.entry }.record(self.now))
    }
}

/// An update with its columns, which the task that asks encodes. There is only one thread that writes, and it has no time for that.
pub(crate) struct PreparedUpdate {
    pub(crate) id: SessionId,
    pub(crate) patch: Patch,
    base: FieldColumns,
    pub(crate) result: FieldColumns,
}

impl PreparedUpdate {
    pub(crate) fn new(id: &SessionId, patch: &Patch) -> Self {
        let (base, result) = (FieldColumns::new(&patch.base), FieldColumns::new(&patch.result));
        Self { id: id.clone(), patch: patch.clone(), base, result }
    }

    /// Reads the whole entry. Nearly always its fields are those that the caller loaded, and need not be parsed again.
    pub(crate) fn read(&self, row: &Row<'_>) -> Result<Entry, InvalidEntry> {
        let (keep, fields) = field_columns(row)?;
        let is_unchanged = self.base.keep == keep && self.base.fields == fields;
        let fields = if is_unchanged { self.patch.base.clone() } else { text::parse(fields, keep)? };
        read_entry(row, fields)
    }
}

// The numbers are those of `schema::HEAD_COLUMNS`, and of the columns that `Statements::load` has after them.

/// What a row has besides values: enough for a touch or a destroy, even when a value cannot be read (R16).
pub(crate) fn read_head(row: &Row<'_>) -> Result<Entry, InvalidEntry> {
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

fn read_entry(row: &Row<'_>, fields: Fields) -> Result<Entry, InvalidEntry> {
    Ok(Entry { identity: json_at(row, 9)?, cookie: json_at(row, 10)?, fields, ..read_head(row)? })
}

/// `keep` and `fields`.
fn field_columns<'row>(row: &'row Row<'_>) -> Result<(&'row str, &'row str), InvalidEntry> {
    text_at(row, 11)?.zip(text_at(row, 12)?).ok_or(InvalidEntry::MALFORMED)
}

fn number_at(row: &Row<'_>, column: usize) -> Result<i64, InvalidEntry> {
    match row.get_ref(column) {
        Ok(ValueRef::Integer(number)) => Ok(number),
        _ => Err(InvalidEntry::MALFORMED),
    }
}

fn moment_at(row: &Row<'_>, column: usize) -> Result<Duration, InvalidEntry> {
    let milliseconds = u64::try_from(number_at(row, column)?).map_err(|_| InvalidEntry::MALFORMED)?;
    Ok(Duration::from_millis(milliseconds))
}

fn hash_at(row: &Row<'_>, column: usize) -> Result<Option<VerifierHash>, InvalidEntry> {
    match row.get_ref(column) {
        Ok(ValueRef::Null) => Ok(None),
        Ok(ValueRef::Blob(hash)) => Ok(Some(VerifierHash(hash.try_into().map_err(|_| InvalidEntry::MALFORMED)?))),
        _ => Err(InvalidEntry::MALFORMED),
    }
}

fn json_at(row: &Row<'_>, column: usize) -> Result<Option<RawJson>, InvalidEntry> {
    let Some(text) = text_at(row, column)? else { return Ok(None) };
    let bytes = text::decode(text).ok_or(InvalidEntry::MALFORMED)?;
    Ok(Some(RawJson::new(&bytes)))
}

fn text_at<'row>(row: &'row Row<'_>, column: usize) -> Result<Option<&'row str>, InvalidEntry> {
    match row.get_ref(column) {
        Ok(ValueRef::Null) => Ok(None),
        Ok(ValueRef::Text(text)) => std::str::from_utf8(text).map(Some).map_err(|_| InvalidEntry::MALFORMED),
        _ => Err(InvalidEntry::MALFORMED),
    }
}
