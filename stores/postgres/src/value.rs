//! What goes to the server and comes back from it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use deadpool_postgres::tokio_postgres::Row as SqlRow;
use deadpool_postgres::tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use sha2::{Digest as _, Sha256};

use http_session_store::SessionId;
use http_session_store::clock::milliseconds;
use http_session_store::error::{InvalidEntry, StoreError, StoreErrorKind};
use http_session_store::record::{Ages, Epoch, RawJson, Record, VerifierHash};
use http_session_store::text;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A parameter of a statement.
pub(super) enum Value<'a> {
    Bytes(Option<Cow<'a, [u8]>>),
    /// JSON, as `jsonb`.
    Json(String),
    Number(Option<i64>),
    /// An `interval`.
    Span(Duration),
    Text(Option<Cow<'a, str>>),
    Texts(Vec<Cow<'a, str>>),
}

impl<'a> Value<'a> {
    pub(super) fn id(id: &'a SessionId) -> Self {
        Self::Text(Some(text::encode(id.as_bytes())))
    }

    pub(super) fn raw(raw: Option<&'a RawJson>) -> Self {
        Self::Text(raw.map(|raw| text::encode(raw.as_bytes())))
    }

    pub(super) fn hash(hash: Option<&'a VerifierHash>) -> Self {
        let hash = hash.filter(|hash| **hash != VerifierHash::NONE);
        Self::Bytes(hash.map(|hash| Cow::Borrowed(hash.0.as_slice())))
    }

    /// An identity may be longer than a key.
    pub(super) fn hash_of(identity: &RawJson) -> Self {
        Self::Bytes(Some(Cow::Owned(Sha256::digest(identity.as_bytes()).to_vec())))
    }

    pub(super) fn epoch(epoch: Epoch) -> Self {
        Self::Number(Some(epoch.0.cast_signed()))
    }

    pub(super) fn count(count: usize) -> Self {
        Self::Number(Some(i64::try_from(count).unwrap_or(i64::MAX)))
    }

    pub(super) const fn kind(&self) -> Type {
        match self {
            Self::Bytes(_) => Type::BYTEA,
            Self::Json(_) => Type::JSONB,
            Self::Number(_) => Type::INT8,
            Self::Span(_) => Type::INTERVAL,
            Self::Text(_) => Type::TEXT,
            Self::Texts(_) => Type::TEXT_ARRAY,
        }
    }
}

/// The driver logs the parameters of statements (R26).
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        match self {
            Self::Bytes(bytes) => bytes.as_deref().to_sql(kind, out),
            Self::Json(json) => {
                // The version of the format.
                out.put_u8(1);
                out.put_slice(json.as_bytes());
                Ok(IsNull::No)
            }
            Self::Number(number) => number.to_sql(kind, out),
            Self::Span(span) => {
                out.put_i64(milliseconds(*span).saturating_mul(1000));
                // No days, no months.
                out.put_i64(0);
                Ok(IsNull::No)
            }
            Self::Text(text) => text.as_deref().to_sql(kind, out),
            Self::Texts(texts) => texts.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A `timestamptz`: microseconds since 2000; the smallest and the largest are the infinities.
#[derive(Clone, Copy)]
struct Moment(i64);

impl Moment {
    fn since(self, earlier: Self) -> Duration {
        let microseconds = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(microseconds).unwrap_or_default())
    }
}

impl<'a> FromSql<'a> for Moment {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMPTZ
    }
}

/// A `jsonb`, as text.
struct Json<'a>(&'a str);

impl<'a> FromSql<'a> for Json<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        match raw.split_first() {
            // The version of the format.
            Some((1, text)) => Ok(Self(std::str::from_utf8(text)?)),
            _ => Err("a jsonb of another version".into()),
        }
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSONB
    }
}

/// The [columns](super::statements::COLUMNS) after `before` others; none where the row has expired. What cannot be read is
/// said to be so (R16).
pub(super) fn row(found: &SqlRow, before: usize) -> Result<Option<Record>, StoreError> {
    let mut columns = Columns { found, next: before };
    let (now, expires): (Moment, Moment) = (columns.next()?, columns.next()?);
    let expires_in = expires.since(now);
    if expires_in.is_zero() {
        return Ok(None);
    }
    let epoch = epoch(columns.next()?);
    let identity_epoch = self::epoch(columns.next()?);
    let verifier = columns.hash()?.unwrap_or(VerifierHash::NONE);
    let previous = columns.hash()?;
    let identity = columns.raw()?;
    let cookie = columns.raw()?;
    let (Json(fields), Json(keep)) = (columns.next()?, columns.next()?);
    let fields = text::parse(fields, keep)?;
    let mut ages = Ages::default();
    ages.created = now.since(columns.next()?);
    ages.identity = now.since(columns.next()?);
    ages.verifier = now.since(columns.next()?);
    ages.touched = now.since(columns.next()?);
    let mut record = Record::new(verifier);
    (record.epoch, record.identity_epoch, record.previous) = (epoch, identity_epoch, previous);
    (record.identity, record.cookie, record.fields) = (identity, cookie, fields);
    (record.ages, record.expires_in) = (ages, expires_in);
    Ok(Some(record))
}

pub(super) const fn epoch(number: i64) -> Epoch {
    Epoch(number.cast_unsigned())
}

/// One value of a row that a statement of ours gave.
pub(super) fn column<'a, T: FromSql<'a>>(found: &'a SqlRow, place: usize) -> Result<T, StoreError> {
    found.try_get(place).map_err(|error| StoreError::new(StoreErrorKind::Corrupt).with_source(error))
}

/// An id as it stands in the table; none where somebody wrote another text there.
pub(super) fn id(stored: &str) -> Option<SessionId> {
    SessionId::try_from(std::str::from_utf8(&text::decode(stored)?).ok()?).ok()
}

struct Columns<'a> {
    found: &'a SqlRow,
    next: usize,
}

impl<'a> Columns<'a> {
    fn next<T: FromSql<'a>>(&mut self) -> Result<T, StoreError> {
        let value = column(self.found, self.next)?;
        self.next += 1;
        Ok(value)
    }

    fn hash(&mut self) -> Result<Option<VerifierHash>, StoreError> {
        let bytes: Option<&[u8]> = self.next()?;
        Ok(bytes.map(|bytes| bytes.try_into().map(VerifierHash).map_err(|_| InvalidEntry::MALFORMED)).transpose()?)
    }

    fn raw(&mut self) -> Result<Option<RawJson>, StoreError> {
        let stored: Option<&str> = self.next()?;
        let raw = stored.map(|stored| text::decode(stored).ok_or(InvalidEntry::MALFORMED)).transpose()?;
        Ok(raw.map(|raw| RawJson::new(&raw)))
    }
}
