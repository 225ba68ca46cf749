//! What a store keeps of a session, and the change that a request makes to it.
//!
//! A [`Row`] is the session as stored; a [`Patch`] is one request's change, applied as a whole or not at all. Field values
//! are raw JSON: a store never looks inside them, and fields that this program does not know survive (R17).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::error::{InvalidFields, MergeConflict};

/// Counts the changes of a session's verifier. A write that was computed for another epoch is refused (R4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// SHA-256 of a session's verifier: what a row keeps of the secret in the cookie (R1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifierHash(pub [u8; 32]);

impl VerifierHash {
    /// No verifier has this hash: the mark of a destroyed session.
    pub const NONE: Self = Self([0; 32]);
}

impl fmt::Debug for VerifierHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifierHash(..)")
    }
}

/// JSON text as it stands in the store, shared without copying.
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Arc<[u8]>);

impl RawJson {
    /// Takes the bytes as they are; they need not be valid JSON (a value that does not decode is judged where it is read).
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({} bytes)", self.0.len())
    }
}

/// Whether a field outlives a change of identity (R5). Travels with the field in the row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keep {
    /// Gone at sign-in, sign-out and switch.
    #[default]
    No,
    /// `keep = "sign_in"`: comes along when an anonymous visitor signs in, gone otherwise.
    SignIn,
    /// `keep`: outlives every change of identity.
    Always,
}

impl Keep {
    /// One byte, as a row stores it.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::No => 0,
            Self::SignIn => 1,
            Self::Always => 2,
        }
    }

    /// The mark of a stored byte; one that is not known is the strictest.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::SignIn,
            2 => Self::Always,
            _ => Self::No,
        }
    }
}

/// Which of the row's fields a patch clears before it writes (R5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clear {
    /// None.
    #[default]
    Nothing,
    /// Those not marked `keep` or `keep = "sign_in"`: an anonymous visitor signed in.
    SignIn,
    /// Those not marked `keep`: signed out, or another identity.
    Identity,
}

impl Clear {
    /// Whether a field with this mark stays.
    #[must_use]
    pub const fn keeps(self, mark: Keep) -> bool {
        match self {
            Self::Nothing => true,
            Self::SignIn => matches!(mark, Keep::SignIn | Keep::Always),
            Self::Identity => matches!(mark, Keep::Always),
        }
    }
}

/// Joins a field that two requests changed: base, theirs, ours as raw JSON, empty for absent.
pub type MergeFn = fn(base: &[u8], theirs: &[u8], ours: &[u8]) -> Result<Vec<u8>, MergeConflict>;

/// What the derive knows of a field, made at compile time.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Field {
    /// The name in the row.
    pub name: &'static str,
    /// Older names: read when the name itself is absent, removed when the field is written (R15).
    pub aliases: &'static [&'static str],
    /// Whether it outlives a change of identity.
    pub keep: Keep,
    /// Whether a session without a readable value of it is no session for this view (R16).
    pub required: bool,
    /// How concurrent changes are joined; `None` replaces.
    pub merge: Option<MergeFn>,
}

impl Field {
    /// A field that is replaced on conflict, cleared at a change of identity, and may be missing.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, aliases: &[], keep: Keep::No, required: false, merge: None }
    }

    /// With older names.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// With a mark for changes of identity.
    #[must_use]
    pub const fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Always stored, and no session without it.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// With a merge function.
    #[must_use]
    pub const fn merge(mut self, merge: MergeFn) -> Self {
        self.merge = Some(merge);
        self
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field")
            .field("name", &self.name)
            .field("aliases", &self.aliases)
            .field("keep", &self.keep)
            .field("required", &self.required)
            .field("merges", &self.merge.is_some())
            .finish()
    }
}

/// The fields of a row: names, keep marks and raw JSON in one shared block of bytes. Cloning is free; empty is free.
///
/// ```
/// use http_session::record::{Fields, Keep};
///
/// let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice()), ("theme", Keep::Always, b"\"dark\"")]);
/// assert_eq!(fields.find("views"), Some(b"3".as_slice()));
/// assert_eq!(Fields::from_bytes(fields.as_bytes())?, fields);
/// # Ok::<_, http_session::error::InvalidFields>(())
/// ```
#[derive(Clone, Default)]
pub struct Fields(Option<Arc<[u8]>>);

/// One field of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredField<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its mark.
    pub keep: Keep,
    /// Its value as raw JSON.
    pub value: &'a [u8],
}

impl fmt::Debug for StoredField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredField({}, {:?}, {} bytes)", self.name, self.keep, self.value.len())
    }
}

// Layout of one entry: mark (1 byte), length of the name (2, little endian), length of the value (4), name, value.
const HEAD: usize = 7;

impl Fields {
    /// No fields.
    pub const EMPTY: Self = Self(None);

    /// Reads what [`as_bytes`](Self::as_bytes) gave. Of two fields with one name the last wins (R15).
    ///
    /// # Errors
    /// The bytes are no such block: cut off, or a name that is not UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidFields> {
        let mut names: Vec<&str> = Vec::new();
        let mut duplicate = false;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (field, tail) = split_entry(rest).ok_or_else(InvalidFields::new)?;
            duplicate |= names.contains(&field.name);
            names.push(field.name);
            rest = tail;
        }
        if !duplicate {
            return Ok(if bytes.is_empty() { Self(None) } else { Self(Some(bytes.into())) });
        }
        let mut last: Vec<StoredField<'_>> = Vec::new();
        for field in (Entries { rest: bytes }) {
            last.retain(|earlier| earlier.name != field.name);
            last.push(field);
        }
        Ok(last.into_iter().collect())
    }

    /// The block of bytes, for a store that keeps all fields in one value.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The fields in stored order.
    pub fn iter(&self) -> impl Iterator<Item = StoredField<'_>> {
        Entries { rest: self.as_bytes() }
    }

    /// The raw value of a field.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&[u8]> {
        self.entry(name).map(|field| field.value)
    }

    /// A field with its mark.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<StoredField<'_>> {
        self.iter().find(|field| field.name == name)
    }

    /// The raw value of a field under its name, or where that is absent under the first of its older names (R15).
    #[must_use]
    pub fn read(&self, field: &Field) -> Option<&[u8]> {
        self.find(field.name).or_else(|| field.aliases.iter().find_map(|alias| self.find(alias)))
    }

    /// Whether both are the very same block, without looking inside.
    #[must_use]
    pub(crate) fn same_block(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            (None, None) => true,
            _ => false,
        }
    }
}

fn split_entry(bytes: &[u8]) -> Option<(StoredField<'_>, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let [mark, n0, n1, v0, v1, v2, v3] = *head;
    let name_length = usize::from(u16::from_le_bytes([n0, n1]));
    let value_length = usize::try_from(u32::from_le_bytes([v0, v1, v2, v3])).ok()?;
    let (name, rest) = rest.split_at_checked(name_length)?;
    let (value, rest) = rest.split_at_checked(value_length)?;
    let name = std::str::from_utf8(name).ok()?;
    Some((StoredField { name, keep: Keep::from_byte(mark), value }, rest))
}

struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = StoredField<'a>;

    fn next(&mut self) -> Option<StoredField<'a>> {
        let (field, rest) = split_entry(self.rest)?;
        self.rest = rest;
        Some(field)
    }
}

/// Equal when the same fields have the same marks and bytes, whatever their order.
impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.same_block(other)
            || self.as_bytes() == other.as_bytes()
            || (self.iter().count() == other.iter().count()
                && self.iter().all(|field| other.entry(field.name) == Some(field)))
    }
}

impl Eq for Fields {}

impl<'a> FromIterator<StoredField<'a>> for Fields {
    fn from_iter<I: IntoIterator<Item = StoredField<'a>>>(fields: I) -> Self {
        let mut writer = FieldsWriter::new();
        for field in fields {
            writer.push(field);
        }
        writer.finish()
    }
}

impl<'a> FromIterator<(&'a str, Keep, &'a [u8])> for Fields {
    fn from_iter<I: IntoIterator<Item = (&'a str, Keep, &'a [u8])>>(fields: I) -> Self {
        fields.into_iter().map(|(name, keep, value)| StoredField { name, keep, value }).collect()
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Builds a block of fields; the bytes are gathered in place and shared at the end.
pub(crate) struct FieldsWriter(SmallVec<[u8; 512]>);

impl FieldsWriter {
    pub(crate) fn new() -> Self {
        Self(SmallVec::new())
    }

    /// Appends a field. A name over 64 KiB or a value over 4 GiB cannot be written and is left out; the record limit
    /// refuses such a session long before.
    pub(crate) fn push(&mut self, field: StoredField<'_>) {
        let (Ok(name), Ok(value)) = (u16::try_from(field.name.len()), u32::try_from(field.value.len())) else {
            return;
        };
        self.0.push(field.keep.to_byte());
        self.0.extend_from_slice(&name.to_le_bytes());
        self.0.extend_from_slice(&value.to_le_bytes());
        self.0.extend_from_slice(field.name.as_bytes());
        self.0.extend_from_slice(field.value);
    }

    pub(crate) fn finish(self) -> Fields {
        if self.0.is_empty() { Fields(None) } else { Fields(Some(Arc::from(self.0.as_slice()))) }
    }
}

/// How long ago things happened, by the store's clock (R7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ages {
    /// Since the session was created.
    pub created: Duration,
    /// Since the identity was last set, changed or affirmed; since creation when it never was.
    pub identity: Duration,
    /// Since the verifier last changed; of a destroyed session, since it was destroyed.
    pub verifier: Duration,
    /// Since the last insert, update or touch that extended the session.
    pub touched: Duration,
}

/// How long a session may live (R7). The store adds it to its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Without activity.
    pub idle: Duration,
    /// In all: from the last change of identity, before one from creation.
    pub absolute: Duration,
    /// Whether the end may also move closer.
    pub extent: Extent,
}

/// Whether a write may move the end of a session closer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The end only moves away: a touch never shortens.
    Extend,
    /// The end is set: the request gave the session its own `max_age`.
    Set,
}

impl Lifetime {
    /// Leaves the end where it is.
    #[must_use]
    pub const fn unchanged(self) -> Self {
        Self { idle: Duration::ZERO, extent: Extent::Extend, ..self }
    }

    /// The new time left, from the one before and the age that counts for the absolute end. Pure; the one place where
    /// lifetimes are clamped, so that every store agrees.
    #[must_use]
    pub fn time_left(self, before: Duration, age: Duration) -> Duration {
        let wanted = match self.extent {
            Extent::Extend => self.idle.max(before),
            Extent::Set => self.idle,
        };
        wanted.min(self.absolute.saturating_sub(age))
    }
}

/// A session as a store keeps it.
///
/// A destroyed session stays for a minute as a *tombstone*, [`Row::tombstone`]: no cookie fits it, so a late request is
/// recognised and can change nothing (R6, R8).
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The epoch that a write must name.
    pub epoch: Epoch,
    /// The epoch in which the identity's value last changed.
    pub identity_epoch: Epoch,
    /// Hash of the current verifier.
    pub verifier: VerifierHash,
    /// Hash of the one before, while it is still valid (periodic renewal, R6).
    pub previous: Option<VerifierHash>,
    /// Who is signed in, as raw JSON; outside of the fields (R5).
    pub identity: Option<RawJson>,
    /// The session's own cookie attributes, as a JSON object.
    pub cookie: Option<RawJson>,
    /// The user's fields.
    pub fields: Fields,
    /// Ages by the store's clock. Ignored by `insert`.
    pub ages: Ages,
    /// Time left by the store's clock. Ignored by `insert`.
    pub expires_in: Duration,
    /// For formats that compare and swap whole rows; zero elsewhere. Ignored by `insert`.
    pub revision: u64,
}

impl Row {
    /// A row that was never stored.
    #[must_use]
    pub const fn new(verifier: VerifierHash) -> Self {
        Self {
            epoch: Epoch(0),
            identity_epoch: Epoch(0),
            verifier,
            previous: None,
            identity: None,
            cookie: None,
            fields: Fields::EMPTY,
            ages: Ages {
                created: Duration::ZERO,
                identity: Duration::ZERO,
                verifier: Duration::ZERO,
                touched: Duration::ZERO,
            },
            expires_in: Duration::ZERO,
            revision: 0,
        }
    }

    /// What remains of a destroyed session: a row that no verifier fits, in an epoch that no request has loaded.
    #[must_use]
    pub fn tombstone(&self) -> Self {
        Self { epoch: self.epoch.next(), ..Self::new(VerifierHash::NONE) }
    }

    /// Whether this is what remains of a destroyed session.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.verifier == VerifierHash::NONE
    }

    /// The age that counts for the absolute lifetime (R7).
    #[must_use]
    pub fn absolute_age(&self) -> Duration {
        self.ages.identity
    }

    /// Bytes that the user's values take: what the record limit counts (R14).
    #[must_use]
    pub fn size(&self) -> usize {
        let raw = |value: &Option<RawJson>| value.as_ref().map_or(0, |raw| raw.as_bytes().len());
        self.fields.as_bytes().len() + raw(&self.identity) + raw(&self.cookie)
    }
}

/// How long a tombstone stays (R6, R8).
pub const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(60);

/// What a patch does to the identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IdentityChange {
    /// Nothing.
    #[default]
    Unchanged,
    /// The same identity signed in again: its age starts afresh, its value and epoch stay.
    Affirmed,
    /// Another identity, or the first.
    Set(RawJson),
    /// Signed out.
    Removed,
}

/// What a patch does to the verifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifierChange {
    /// Nothing.
    #[default]
    Unchanged,
    /// A new one: the epoch is raised, the old verifier and the one before it are void (R4).
    Rotate(VerifierHash),
    /// Periodic renewal (R6): `new` replaces `current`, which stays valid as the previous one; the epoch stays. Where the
    /// row's verifier is no longer `current`, only this part of the patch does not happen.
    Renew {
        /// The verifier that was presented.
        current: VerifierHash,
        /// Its successor.
        new: VerifierHash,
    },
}

/// What happens when a field that the patch writes was changed meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// The field's merge rule decides.
    #[default]
    Merge,
    /// The patch is refused: an immediate gate (R13).
    Refuse,
}

/// One request's change to a row: applied as a whole, in one conditional write, or not at all (R9).
///
/// The changed fields are [`changes`](Self::changes): for each its value as loaded and as it shall be. What the patch does
/// not name stays as it is in the store, whoever wrote it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Patch {
    /// The epoch that was loaded. A row in another epoch is superseded.
    pub epoch: Epoch,
    /// The fields as loaded.
    pub base: Fields,
    /// The fields as they shall be, where [`touched`](Self::touched) names them.
    pub result: Fields,
    /// The fields that the request changed.
    pub touched: SmallVec<[&'static Field; 4]>,
    /// What is cleared before the fields are written.
    pub clear: Clear,
    /// What happens to a field that somebody else changed too.
    pub on_conflict: OnConflict,
    /// The identity.
    pub identity: IdentityChange,
    /// The verifier.
    pub verifier: VerifierChange,
    /// The session's own cookie attributes, when they changed; the inner `None` removes them.
    pub cookie: Option<Option<RawJson>>,
}

/// One changed field of a patch.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Change<'a> {
    /// The field.
    pub field: &'static Field,
    /// Its raw value as loaded.
    pub base: Option<&'a [u8]>,
    /// Its raw value from now on; `None` removes it.
    pub value: Option<&'a [u8]>,
    /// Whether the write depends on the store still having `base`: the field has a merge rule, or the patch is a gate.
    pub conditional: bool,
}

impl Patch {
    /// The changed fields.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.touched.iter().map(|field| Change {
            field,
            base: self.base.read(field),
            value: self.result.find(field.name),
            conditional: match self.on_conflict {
                OnConflict::Merge => field.merge.is_some() && self.clear.keeps(field.keep),
                OnConflict::Refuse => true,
            },
        })
    }

    /// The fields of a row after this patch, merged where needed. Pure; runs the user's merge functions.
    ///
    /// # Errors
    /// A changed field was changed meanwhile, and its rule (or the gate) refuses to join the two.
    pub fn merge_into(&self, theirs: &Fields) -> Result<Fields, MergeConflict> {
        if self.clear == Clear::Nothing && theirs.same_block(&self.base) {
            return Ok(self.result.clone());
        }
        let mut writer = FieldsWriter::new();
        for stored in theirs.iter() {
            let written = self.touched.iter().any(|field| field.owns(stored.name));
            if !written && self.clear.keeps(stored.keep) {
                writer.push(stored);
            }
        }
        for change in self.changes() {
            let name = change.field.name;
            let stored = theirs.read(change.field);
            let merged;
            let value = if !change.conditional || stored == change.base {
                change.value
            } else {
                merged = match (self.on_conflict, change.field.merge) {
                    (OnConflict::Merge, Some(merge)) => merge(
                        change.base.unwrap_or_default(),
                        stored.unwrap_or_default(),
                        change.value.unwrap_or_default(),
                    )?,
                    (OnConflict::Merge, None) => change.value.unwrap_or_default().to_vec(),
                    (OnConflict::Refuse, _) => return Err(MergeConflict::new()),
                };
                (!merged.is_empty()).then_some(merged.as_slice())
            };
            if let Some(value) = value {
                writer.push(StoredField { name, keep: change.field.keep, value });
            }
        }
        Ok(writer.finish())
    }

    /// Applies this patch to a row of the right epoch, all of it or nothing: what a store in our process does, and what
    /// every other store's statement means. Ages and time left are the store's to set. Pure.
    ///
    /// The answer tells whether a renewal took place ([`VerifierChange::Renew`]); `true` when none was asked for.
    ///
    /// # Errors
    /// As [`merge_into`](Self::merge_into).
    pub fn apply_to(&self, row: &mut Row) -> Result<bool, MergeConflict> {
        let fields = self.merge_into(&row.fields)?;
        Ok(self.apply_merged(row, fields))
    }

    /// The rest of [`apply_to`](Self::apply_to), for a store that ran [`merge_into`](Self::merge_into) outside of its lock
    /// and found the row's fields unchanged since.
    pub fn apply_merged(&self, row: &mut Row, fields: Fields) -> bool {
        row.fields = fields;
        let mut renewed = true;
        match self.verifier {
            VerifierChange::Unchanged => {}
            VerifierChange::Rotate(verifier) => {
                row.epoch = row.epoch.next();
                row.verifier = verifier;
                row.previous = None;
            }
            VerifierChange::Renew { current, new } => {
                renewed = row.verifier == current;
                if renewed {
                    row.previous = Some(current);
                    row.verifier = new;
                }
            }
        }
        match &self.identity {
            IdentityChange::Unchanged | IdentityChange::Affirmed => {}
            IdentityChange::Set(identity) => {
                row.identity = Some(identity.clone());
                row.identity_epoch = row.epoch;
            }
            IdentityChange::Removed => {
                row.identity = None;
                row.identity_epoch = row.epoch;
            }
        }
        if let Some(cookie) = &self.cookie {
            row.cookie.clone_from(cookie);
        }
        renewed
    }

    /// This patch as it would be against a row that changed meanwhile: its base is that row, its values are merged from
    /// the original ones. For the retry after a conflict (R10).
    ///
    /// # Errors
    /// As [`merge_into`](Self::merge_into).
    pub fn rebase(&self, theirs: &Fields) -> Result<Self, MergeConflict> {
        Ok(Self { result: self.merge_into(theirs)?, base: theirs.clone(), ..self.clone() })
    }

    /// Whether the age since the last change of identity starts afresh.
    #[must_use]
    pub const fn resets_identity_age(&self) -> bool {
        !matches!(self.identity, IdentityChange::Unchanged)
    }

    /// Bytes that the row's values would take, as far as this request can tell.
    pub(crate) fn size(&self) -> usize {
        let identity = match &self.identity {
            IdentityChange::Set(raw) => raw.as_bytes().len(),
            _ => 0,
        };
        let cookie = self.cookie.as_ref().and_then(Option::as_ref).map_or(0, |raw| raw.as_bytes().len());
        self.result.as_bytes().len() + identity + cookie
    }
}

impl Field {
    /// Whether a stored name is this field's, or an older name of it.
    #[must_use]
    pub fn owns(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}
