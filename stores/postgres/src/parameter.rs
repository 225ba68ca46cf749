//! The parameters of statements.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use http_session_store::SessionId;
use http_session_store::clock::milliseconds;
use http_session_store::record::{Epoch, RawJson, VerifierHash};
use http_session_store::text;
use sha2::{Digest as _, Sha256};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A parameter. Each has the type that its statement needs: a cast in the statement would be planned again at each call.
pub(super) enum Parameter<'a> {
    Bytes(Option<Cow<'a, [u8]>>),
    /// An `interval`, which the driver has no type for.
    Interval(Duration),
    /// A `jsonb`. The driver's own type for it would parse the text first.
    Json(String),
    Number(Option<i64>),
    Text(Option<Cow<'a, str>>),
    Texts(Vec<Cow<'a, str>>),
}

impl<'a> Parameter<'a> {
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

    /// The key of an identity's generation: the identity itself may be too long for an index.
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
            Self::Interval(_) => Type::INTERVAL,
            Self::Json(_) => Type::JSONB,
            Self::Number(_) => Type::INT8,
            Self::Text(_) => Type::TEXT,
            Self::Texts(_) => Type::TEXT_ARRAY,
        }
    }
}

/// Shows nothing: the driver logs the parameters of statements (R26).
impl fmt::Debug for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parameter(..)")
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Send + Sync>> {
        match self {
            Self::Bytes(bytes) => bytes.as_deref().to_sql(kind, out),
            Self::Interval(duration) => {
                out.put_i64(milliseconds(*duration).saturating_mul(1000));
                // No days and no months, whose length depends on the calendar.
                out.put_i64(0);
                Ok(IsNull::No)
            }
            Self::Json(json) => {
                // The version of the format.
                out.put_u8(1);
                out.put_slice(json.as_bytes());
                Ok(IsNull::No)
            }
            Self::Number(number) => number.to_sql(kind, out),
            Self::Text(text) => text.as_deref().to_sql(kind, out),
            Self::Texts(texts) => texts.to_sql(kind, out),
        }
    }

    // Each statement is sent with the `kind` of its parameters.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
