//! The fields of a record, as one block of bytes.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::field::{Field, Keep};
use crate::error::InvalidFields;

/// The fields of a record: names, keep marks and raw JSON in one shared block of bytes. Cloning shares the block.
///
/// A store may keep the block as it is, or each field for itself:
///
/// ```
/// use http_session_store::record::{Fields, Keep};
///
/// let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice()), ("theme", Keep::Always, b"\"dark\"")]);
/// assert_eq!(Fields::from_bytes(fields.as_bytes())?, fields);
///
/// let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
/// assert_eq!(names, ["views", "theme"]);
/// assert_eq!(fields.find("views"), Some(b"3".as_slice()));
/// # Ok::<_, http_session_store::error::InvalidFields>(())
/// ```
///
/// Two blocks are equal if the same fields have the same marks and values, in any order.
#[derive(Clone, Default)]
pub struct Fields(Option<Arc<[u8]>>);

/// One field of a record. `Debug` shows no value.
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

impl<'a> StoredField<'a> {
    /// A field of a record.
    #[must_use]
    pub const fn new(name: &'a str, keep: Keep, value: &'a [u8]) -> Self {
        Self { name, keep, value }
    }
}

impl fmt::Debug for StoredField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredField({}, {:?}, {} bytes)", self.name, self.keep, self.value.len())
    }
}

// A field in the block: mark (1 byte), length of the name (2, little endian), length of the value (4), name, value.
// Stores keep the block, and `Patch::limit` counts its bytes: scripts and statements of stores do that sum too.
const HEAD_BYTES: usize = 7;

impl Fields {
    /// No fields.
    pub const EMPTY: Self = Self(None);

    /// Reads what [`as_bytes`](Self::as_bytes) gave. If two fields have one name, the last one counts.
    ///
    /// # Errors
    /// The bytes are not a block of fields: they are cut off, or a name is not UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidFields> {
        let (mut names, mut duplicate) = (Names::default(), false);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (field, tail) = split_field(rest).ok_or_else(InvalidFields::new)?;
            duplicate |= !names.insert(field.name);
            rest = tail;
        }
        if !duplicate {
            return Ok(if bytes.is_empty() { Self(None) } else { Self(Some(bytes.into())) });
        }
        Ok((RawFields { rest: bytes }).filter_map(RawField::stored).collect())
    }

    /// The block of bytes, for a store that keeps all fields in one value.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether there are no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The fields in stored order.
    pub fn iter(&self) -> impl Iterator<Item = StoredField<'_>> {
        self.raw().filter_map(RawField::stored)
    }

    /// The raw value of a field.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&[u8]> {
        self.raw().find(|field| field.name == name.as_bytes()).map(|field| field.value)
    }

    /// A field with its mark.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<StoredField<'_>> {
        self.raw().find(|field| field.name == name.as_bytes()).and_then(RawField::stored)
    }

    /// The raw value of a field under its name or, if that is absent, under the first of its older names that is there.
    ///
    /// ```
    /// # use http_session_store::record::{Field, Fields, Keep};
    /// static VIEWS: Field = Field::new("views").aliases(&["hits"]);
    ///
    /// let fields = Fields::from_iter([("hits", Keep::No, b"3".as_slice())]);
    /// assert_eq!(fields.read(&VIEWS), Some(b"3".as_slice()));
    /// ```
    #[must_use]
    pub fn read(&self, field: &Field) -> Option<&[u8]> {
        self.find(field.name).or_else(|| field.aliases.iter().find_map(|alias| self.find(alias)))
    }

    /// Whether a block can hold this field: a name up to 64 KiB, a value up to 4 GiB. A store checks this when it reads fields
    /// that another program may have written.
    #[must_use]
    pub fn has_room(name: &str, value: &[u8]) -> bool {
        lengths(name, value).is_some()
    }

    /// Whether both share one block, without looking inside. Such fields are equal; others may be equal too.
    #[must_use]
    pub fn same_block(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            (None, None) => true,
            _ => false,
        }
    }

    /// The fields as they stand in the block, for the middleware.
    #[doc(hidden)]
    #[must_use]
    pub fn raw(&self) -> RawFields<'_> {
        RawFields { rest: self.as_bytes() }
    }
}

/// Finds fields that are asked for in the order of the block without searching for each from the start.
#[doc(hidden)]
pub struct FieldCursor<'a> {
    fields: &'a Fields,
    next: RawFields<'a>,
}

impl<'a> FieldCursor<'a> {
    #[must_use]
    pub fn new(fields: &'a Fields) -> Self {
        Self { fields, next: fields.raw() }
    }

    /// As [`Fields::read`].
    pub fn read(&mut self, field: &Field) -> Option<&'a [u8]> {
        let mut after = self.next.clone();
        match after.next() {
            Some(next) if next.name == field.name.as_bytes() => {
                self.next = after;
                Some(next.value)
            }
            _ => self.fields.read(field),
        }
    }
}

impl fmt::Debug for FieldCursor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields.fmt(f)
    }
}

/// The two lengths as they stand in the block, if they fit.
fn lengths(name: &str, value: &[u8]) -> Option<(u16, u32)> {
    Some((u16::try_from(name.len()).ok()?, u32::try_from(value.len()).ok()?))
}

fn split_field(bytes: &[u8]) -> Option<(StoredField<'_>, &[u8])> {
    let mut fields = RawFields { rest: bytes };
    let field = fields.next()?.stored()?;
    Some((field, fields.rest))
}

/// One field as it stands in the block. A name is compared as bytes; UTF-8 is checked only for a [`StoredField`], since the check
/// costs more than the rest of a lookup.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct RawField<'a> {
    pub(super) keep: Keep,
    name: &'a [u8],
    value: &'a [u8],
    /// All of its bytes.
    whole: &'a [u8],
}

impl<'a> RawField<'a> {
    #[must_use]
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }

    fn stored(self) -> Option<StoredField<'a>> {
        let name = std::str::from_utf8(self.name).ok()?;
        Some(StoredField { name, keep: self.keep, value: self.value })
    }
}

impl fmt::Debug for RawField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stored().fmt(f)
    }
}

#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct RawFields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for RawFields<'a> {
    type Item = RawField<'a>;

    fn next(&mut self) -> Option<RawField<'a>> {
        let (head, rest) = self.rest.split_first_chunk::<HEAD_BYTES>()?;
        let [mark, n0, n1, v0, v1, v2, v3] = *head;
        let name_length = usize::from(u16::from_le_bytes([n0, n1]));
        let value_length = usize::try_from(u32::from_le_bytes([v0, v1, v2, v3])).ok()?;
        let (name, rest) = rest.split_at_checked(name_length)?;
        let (value, rest) = rest.split_at_checked(value_length)?;
        let whole = self.rest.get(..HEAD_BYTES + name_length + value_length)?;
        self.rest = rest;
        Some(RawField { keep: Keep::from_byte(mark), name, value, whole })
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.same_block(other)
            || self.as_bytes() == other.as_bytes()
            || (self.raw().count() == other.raw().count()
                && self.raw().all(|ours| {
                    let of_name = other.raw().find(|theirs| theirs.name == ours.name);
                    of_name.is_some_and(|theirs| theirs.keep == ours.keep && theirs.value == ours.value)
                }))
    }
}

impl Eq for Fields {}

/// Names that were seen. There are few; but a record that somebody else wrote may have any number, and is read in linear time
/// too.
#[derive(Default)]
struct Names<'a> {
    few: SmallVec<[&'a str; 16]>,
    many: Option<HashSet<&'a str>>,
}

impl<'a> Names<'a> {
    /// Whether the name is a new one.
    fn insert(&mut self, name: &'a str) -> bool {
        if self.few.contains(&name) {
            return false;
        }
        if self.few.len() < self.few.inline_size() {
            self.few.push(name);
            return true;
        }
        self.many.get_or_insert_default().insert(name)
    }
}

/// If two fields have one name, the last one counts.
impl<'a> FromIterator<StoredField<'a>> for Fields {
    fn from_iter<I: IntoIterator<Item = StoredField<'a>>>(fields: I) -> Self {
        let mut fields: SmallVec<[StoredField<'a>; 16]> = fields.into_iter().collect();
        let mut names = Names::default();
        fields.reverse();
        fields.retain(|field| names.insert(field.name));
        let mut writer = FieldsWriter::new();
        fields.iter().rev().for_each(|field| writer.push(*field));
        writer.finish()
    }
}

/// If two fields have one name, the last one counts.
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

/// Builds a block of fields, one after another, for a store that reads each field for itself.
///
/// It does not look for names that come twice. If a storage may hold such, collect the fields into [`Fields`] instead.
#[derive(Default)]
pub struct FieldsWriter(SmallVec<[u8; 512]>);

impl FieldsWriter {
    /// An empty block.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a field. A field for which a block [has no room](Fields::has_room) is left out. The limit on the size of a
    /// record refuses such a session long before.
    pub fn push(&mut self, field: StoredField<'_>) {
        let Some((name, value)) = lengths(field.name, field.value) else { return };
        self.0.push(field.keep.to_byte());
        self.0.extend_from_slice(&name.to_le_bytes());
        self.0.extend_from_slice(&value.to_le_bytes());
        self.0.extend_from_slice(field.name.as_bytes());
        self.0.extend_from_slice(field.value);
    }

    /// Appends a field as it stands in another block, for the middleware.
    #[doc(hidden)]
    pub fn copy(&mut self, field: RawField<'_>) {
        self.0.extend_from_slice(field.whole);
    }

    /// The fields so far.
    #[must_use]
    pub fn finish(&self) -> Fields {
        if self.0.is_empty() { Fields(None) } else { Fields(Some(Arc::from(self.0.as_slice()))) }
    }
}

/// Shows no values.
impl fmt::Debug for FieldsWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldsWriter({} bytes)", self.0.len())
    }
}
