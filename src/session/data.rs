//! Between the user's struct and the record: what the derive implements, and what the code that it writes calls.

use serde::{Deserialize, Serialize};

use crate::error::MergeConflict;
use crate::request::change_list::ChangeSink;
use crate::telemetry;
use http_session_store::record::{Field, FieldCursor, Fields, RawJson};

/// A struct that can be a session. [`#[derive(Session)]`](derive@crate::Session) implements it; never implement it by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session: it does not derive `Session`",
    label = "this type is not session data",
    note = "write `#[derive(http_session::Session)]` above the struct"
)]
pub trait SessionData: Sized {
    /// The fields that are stored, in the struct's order, without the identity.
    #[doc(hidden)]
    const FIELDS: &'static [Field];

    /// Whether one of the fields shows the record's identity (R5).
    #[doc(hidden)]
    const HAS_IDENTITY: bool;

    #[doc(hidden)]
    fn decode(reader: &mut FieldReader<'_>) -> Result<Self, Unreadable>;

    #[doc(hidden)]
    fn encode(&self, writer: &mut FieldWriter<'_>);

    /// Takes over the fields that are never stored from the value that this one replaces.
    #[doc(hidden)]
    fn carry_skipped(&mut self, _before: &mut Self) {}

    /// Encodes the identity alone, for a handle that watches it while the handler works.
    #[doc(hidden)]
    fn encode_identity(&self, writer: &mut FieldWriter<'_>);
}

/// A session with an `#[session(identity)]` field, which can sign in and out. The derive implements it.
///
/// ```
/// use http_session::{HasIdentity, Session};
///
/// #[derive(Session)]
/// struct Visit {
///     #[session(identity)]
///     user: Option<u64>,
/// }
///
/// fn welcome<T: HasIdentity>(mut session: Session<T>, user: T::Identity) {
///     session.sign_in(user);
/// }
///
/// # fn handler(session: Session<Visit>) {
/// welcome(session, 42);
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no identity field, so nobody can sign in to it",
    label = "this session has no identity",
    note = "mark one `Option` field of the struct: `#[session(identity)] user: Option<UserId>`"
)]
pub trait HasIdentity: SessionData {
    /// What identifies a user: the type inside the field's `Option`.
    type Identity;

    #[doc(hidden)]
    fn identity_mut(&mut self) -> &mut Option<Self::Identity>;

    /// Writes the identity as records store it.
    #[doc(hidden)]
    fn identity_json(identity: &Self::Identity, raw: &mut Vec<u8>) -> JsonResult<()>;
}

/// A field that this view needs does not decode, so this view has no session (R16).
#[doc(hidden)]
#[derive(Debug)]
pub struct Unreadable(());

/// Gives the raw values of a record to the derive's code.
#[doc(hidden)]
#[derive(Debug)]
pub struct FieldReader<'a> {
    fields: FieldCursor<'a>,
    identity: Option<&'a RawJson>,
}

impl<'a> FieldReader<'a> {
    pub(crate) fn new(fields: &'a Fields, identity: Option<&'a RawJson>) -> Self {
        Self { fields: FieldCursor::new(fields), identity }
    }

    /// Reads a field: its value, or its default if it is missing or does not decode (R15, R16).
    pub fn field<V>(
        &mut self,
        field: &'static Field,
        decode: impl FnOnce(&[u8]) -> Result<V, serde_json::Error>,
        default: impl FnOnce() -> V,
    ) -> Result<V, Unreadable> {
        let Some(raw) = self.fields.read(field) else {
            return Ok(default());
        };
        match decode(raw) {
            Ok(value) => Ok(value),
            Err(_) if field.required => {
                telemetry::undecodable(field.name);
                Err(Unreadable(()))
            }
            Err(_) => {
                telemetry::undecodable(field.name);
                Ok(default())
            }
        }
    }

    /// Reads the identity.
    pub fn identity<V>(
        &mut self,
        decode: impl FnOnce(&[u8]) -> Result<V, serde_json::Error>,
    ) -> Result<Option<V>, Unreadable> {
        let Some(raw) = self.identity else {
            return Ok(None);
        };
        decode(raw.as_bytes()).map(Some).map_err(|_| {
            telemetry::undecodable("identity");
            Unreadable(())
        })
    }
}

/// Receives the changes of a value from the derive's code.
#[doc(hidden)]
pub struct FieldWriter<'a> {
    pub(crate) base: FieldCursor<'a>,
    pub(crate) base_identity: Option<&'a RawJson>,
    pub(crate) scratch: Vec<u8>,
    pub(crate) changed: &'a mut dyn ChangeSink,
}

impl std::fmt::Debug for FieldWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FieldWriter")
    }
}

impl FieldWriter<'_> {
    /// Reports a field if it changed: first its bytes are compared with those that it came from, and if they differ, the
    /// values are compared.
    pub fn field<V: PartialEq>(
        &mut self,
        field: &'static Field,
        value: &V,
        encode: impl FnOnce(&V, &mut Vec<u8>) -> Result<(), serde_json::Error>,
        decode: impl FnOnce(&[u8]) -> Result<V, serde_json::Error>,
        default: impl FnOnce() -> V,
    ) {
        self.scratch.clear();
        if encode(value, &mut self.scratch).is_err() {
            self.changed.unencodable(field.name);
            return;
        }
        let raw = self.base.read(field);
        if raw == Some(self.scratch.as_slice()) {
            return;
        }
        let before = raw.and_then(|raw| decode(raw).ok()).unwrap_or_else(default);
        if before != *value {
            self.changed.field(field, &self.scratch);
        } else if field.required && raw.is_none() {
            self.changed.fill(field, &self.scratch);
        }
    }

    /// Reports the identity if it changed, compared in the same way.
    pub fn identity<V: PartialEq>(
        &mut self,
        value: &Option<V>,
        encode: impl FnOnce(&V, &mut Vec<u8>) -> Result<(), serde_json::Error>,
        decode: impl FnOnce(&[u8]) -> Result<V, serde_json::Error>,
    ) {
        let Some(value) = value else {
            if self.base_identity.is_some() {
                self.changed.identity(None);
            }
            return;
        };
        self.scratch.clear();
        if encode(value, &mut self.scratch).is_err() {
            self.changed.unencodable("identity");
            return;
        }
        let same = self.base_identity.is_some_and(|raw| {
            raw.as_bytes() == self.scratch.as_slice() || decode(raw.as_bytes()).is_ok_and(|before| before == *value)
        });
        if !same {
            self.changed.identity(Some(&self.scratch));
        }
    }
}

/// Reads a value from raw JSON. The bound is not `DeserializeOwned`, because the compiler says more about a missing
/// `Deserialize`.
#[doc(hidden)]
pub fn decode<'de, V: Deserialize<'de>>(raw: &'de [u8]) -> Result<V, serde_json::Error> {
    serde_json::from_slice(raw)
}

/// Writes a value as raw JSON.
#[doc(hidden)]
pub fn encode<V: Serialize>(value: &V, raw: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    serde_json::to_writer(raw, value)
}

/// The result of reading or writing JSON.
#[doc(hidden)]
pub type JsonResult<V> = Result<V, serde_json::Error>;

/// How a field of the struct is read and written. The derive implements it once for each field, by the field's place in the
/// struct. So a trait that the field's type lacks is reported only once.
#[doc(hidden)]
pub trait FieldCodec<const PLACE: usize, V> {
    fn decode(raw: &[u8]) -> JsonResult<V>;
    fn encode(value: &V, raw: &mut Vec<u8>) -> JsonResult<()>;
}

/// The value of a field that is not stored. The derive implements it once for each field, by the field's place in the
/// struct.
#[doc(hidden)]
pub trait FieldDefault<const PLACE: usize, V> {
    fn default() -> V;
}

/// `Default`, with a message that suits a field.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default, and a field of a session needs one for when it is not stored yet",
    label = "this type does not implement `Default`",
    note = "derive `Default` for `{Self}`, write `#[session(default = value)]` on the field, or make the field an `Option`"
)]
pub trait DefaultValue {
    fn default_value() -> Self;
}

// The message above says more than the compiler's own message about `Default`.
#[diagnostic::do_not_recommend]
impl<V: Default> DefaultValue for V {
    fn default_value() -> Self {
        Self::default()
    }
}

/// serde_json's deserializer as a `with` module sees it.
#[doc(hidden)]
pub type JsonDeserializer<'a> = serde_json::Deserializer<serde_json::de::SliceRead<'a>>;

/// serde_json's serializer as a `with` module sees it.
#[doc(hidden)]
pub type JsonSerializer<'a> = serde_json::Serializer<&'a mut Vec<u8>>;

/// Reads a value through a `with` module.
#[doc(hidden)]
pub fn decode_with<V>(
    raw: &[u8],
    deserialize: impl for<'a, 'b> FnOnce(&'a mut JsonDeserializer<'b>) -> Result<V, serde_json::Error>,
) -> Result<V, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(raw);
    let value = deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Writes a value through a `with` module.
#[doc(hidden)]
pub fn encode_with<V>(
    value: &V,
    raw: &mut Vec<u8>,
    serialize: impl for<'a, 'b> FnOnce(&V, &'a mut JsonSerializer<'b>) -> Result<(), serde_json::Error>,
) -> Result<(), serde_json::Error> {
    let mut serializer = serde_json::Serializer::new(raw);
    serialize(value, &mut serializer)
}

/// Merges two changes of a field by its rule: decode, join, encode. Empty bytes stand for an absent field, which has its
/// default value. If one of the values does not decode, ours wins.
#[doc(hidden)]
pub fn merge_field<V>(
    base: &[u8],
    theirs: &[u8],
    ours: &[u8],
    decode: impl Fn(&[u8]) -> Result<V, serde_json::Error>,
    encode: impl Fn(&V, &mut Vec<u8>) -> Result<(), serde_json::Error>,
    default: impl Fn() -> V,
    join: impl FnOnce(V, V, V) -> Result<V, MergeConflict>,
) -> Result<Vec<u8>, MergeConflict> {
    let value = |raw: &[u8]| if raw.is_empty() { Some(default()) } else { decode(raw).ok() };
    let (Some(base), Some(theirs_value), Some(ours_value)) = (value(base), value(theirs), value(ours)) else {
        return Ok(ours.to_vec());
    };
    // The user's code, which may take long or panic. So callers must not hold the slot's lock (see `Slot::take`).
    let merged = join(base, theirs_value, ours_value)?;
    let mut raw = Vec::new();
    encode(&merged, &mut raw).map_err(|_| MergeConflict::refuse())?;
    Ok(raw)
}

/// `merge = "reject"`: ours, unless another request has stored a different value than the one that was loaded. A value that
/// does not decode counts as different.
#[doc(hidden)]
pub fn reject_change<V: PartialEq>(
    base: &[u8],
    theirs: &[u8],
    ours: &[u8],
    decode: impl Fn(&[u8]) -> JsonResult<V>,
    default: impl Fn() -> V,
) -> Result<Vec<u8>, MergeConflict> {
    let value = |raw: &[u8]| if raw.is_empty() { Some(default()) } else { decode(raw).ok() };
    match (value(base), value(theirs)) {
        (Some(base), Some(theirs)) if base == theirs => Ok(ours.to_vec()),
        _ => Err(MergeConflict::refuse()),
    }
}

#[cfg(test)]
#[cfg(feature = "derive")]
mod tests;
