//! What the rows of an answer hold.

use std::fmt;
use std::time::Duration;

use http_session_store::SessionId;
use http_session_store::error::{InvalidEntry, StoreError, StoreErrorKind};
use http_session_store::record::{Epoch, RawJson, Record, VerifierHash};
use http_session_store::text;
use tokio_postgres::Row;
use tokio_postgres::row::RowIndex;
use tokio_postgres::types::{FromSql, Type};

/// A `timestamptz`: microseconds since 2000. The smallest and the largest number are the infinities, which an administrator
/// may write, and which the driver's own types cannot hold on every platform.
#[derive(Clone, Copy)]
struct Timestamp(i64);

impl Timestamp {
    fn since(self, earlier: Self) -> Duration {
        let microseconds = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(microseconds).unwrap_or_default())
    }
}

impl<'a> FromSql<'a> for Timestamp {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMPTZ
    }
}

/// The record in a row with the [columns of a record](super::statements::COLUMNS); `None` if it has expired. A row that cannot
/// be read is an error, never a record with gaps (R16).
pub(super) fn record(row: &Row) -> Result<Option<Record>, StoreError> {
    let (now, expires): (Timestamp, Timestamp) = (column(row, "now")?, column(row, "expires")?);
    let expires_in = expires.since(now);
    if expires_in.is_zero() {
        return Ok(None);
    }
    let age = |name| column(row, name).map(|moment| now.since(moment));
    let mut record = Record::new(hash(row, "verifier")?.unwrap_or(VerifierHash::NONE));
    record.epoch = epoch(column(row, "epoch")?);
    record.identity_epoch = epoch(column(row, "identity_epoch")?);
    record.previous = hash(row, "previous")?;
    record.identity = raw(row, "identity")?;
    record.cookie = raw(row, "cookie")?;
    record.fields = text::parse(column(row, "fields")?, column(row, "keep")?)?;
    record.ages.created = age("created")?;
    record.ages.identity = age("identity_changed")?;
    record.ages.verifier = age("verifier_changed")?;
    record.ages.touched = age("touched")?;
    record.expires_in = expires_in;
    Ok(Some(record))
}

/// The value in one column, by its name or its place.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, column: impl RowIndex + fmt::Display) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| StoreError::new(StoreErrorKind::Corrupt).with_source(error))
}

/// The session ids in the first column. Another program may have written a text there that is not an id. No cookie names such
/// a row, so it is left out.
pub(super) fn ids(rows: &[Row]) -> Result<Vec<SessionId>, StoreError> {
    let stored: Vec<&str> = rows.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
    let decoded = stored.into_iter().filter_map(text::decode);
    Ok(decoded.filter_map(|id| SessionId::try_from(std::str::from_utf8(&id).ok()?).ok()).collect())
}

/// The count in the only column of the only row.
pub(super) fn count(rows: &[Row]) -> Result<usize, StoreError> {
    let count: i64 = rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or_default();
    Ok(usize::try_from(count).unwrap_or_default())
}

fn epoch(number: i64) -> Epoch {
    Epoch(number.cast_unsigned())
}

fn hash(row: &Row, name: &str) -> Result<Option<VerifierHash>, StoreError> {
    let bytes: Option<&[u8]> = column(row, name)?;
    Ok(bytes.map(|bytes| bytes.try_into().map(VerifierHash).map_err(|_| InvalidEntry::MALFORMED)).transpose()?)
}

fn raw(row: &Row, name: &str) -> Result<Option<RawJson>, StoreError> {
    let stored: Option<&str> = column(row, name)?;
    let raw = stored.map(|stored| text::decode(stored).ok_or(InvalidEntry::MALFORMED)).transpose()?;
    Ok(raw.map(|raw| RawJson::new(&raw)))
}
