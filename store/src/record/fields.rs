//! The fields of a record, as one block of bytes.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Field, Keep};
use crate::error::InvalidFields;

/// The fields of a record: names, keep marks and raw JSON in one shared block of bytes. Cloning is free; empty is free.
///
/// ```
/// use http_session_store::record::{Fields, Keep};
///
/// let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice()), ("theme", Keep::Always, b"\"dark\"")]);
/// assert_eq!(fields.find("views"), Some(b"3".as_slice()));
/// assert_eq!(Fields::from_bytes(fields.as_bytes())?, fields);
/// # Ok::<_, http_session_store::error::InvalidFields>(())
/// ```
#[derive(Clone, Default)]
pub struct Fields(Option<Arc<[u8]>>);

/// One field of a record.
///
/// ```
/// # use http_session_store::record::{Field, Fields, Keep};
/// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice()), ("theme", Keep::Always, b"\"dark\"")]);
/// let theme = fields.entry("theme").unwrap();
/// assert_eq!((theme.name, theme.keep, theme.value), ("theme", Keep::Always, b"\"dark\"".as_slice()));
/// ```
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

// Layout of one entry: mark (1 byte), length of the name (2, little endian), length of the value (4), name, value.
const HEAD: usize = 7;

impl Fields {
    /// No fields.
    ///
    /// ```
    /// # use http_session_store::record::Fields;
    /// assert!(Fields::EMPTY.is_empty());
    /// ```
    pub const EMPTY: Self = Self(None);

    /// Reads what [`as_bytes`](Self::as_bytes) gave. Of two fields with one name the last wins (R15).
    ///
    /// # Errors
    /// The bytes are no such block: cut off, or a name that is not UTF-8.
    ///
    /// ```
    /// # use http_session_store::record::Fields;
    /// assert!(Fields::from_bytes(b"").is_ok());
    /// assert!(Fields::from_bytes(b"no block").is_err());
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidFields> {
        let (mut names, mut duplicate) = (Names::default(), false);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (field, tail) = split_entry(rest).ok_or_else(InvalidFields::new)?;
            duplicate |= !names.insert(field.name);
            rest = tail;
        }
        if !duplicate {
            return Ok(if bytes.is_empty() { Self(None) } else { Self(Some(bytes.into())) });
        }
        Ok((Entries { rest: bytes }).filter_map(Entry::field).collect())
    }

    /// The block of bytes, for a store that keeps all fields in one value.
    ///
    /// ```
    /// # use http_session_store::record::{Field, Fields, Keep};
    /// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice()), ("theme", Keep::Always, b"\"dark\"")]);
    /// assert_eq!(Fields::from_bytes(fields.as_bytes()), Ok(fields));
    /// ```
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether there are none.
    ///
    /// ```
    /// # use http_session_store::record::{Field, Fields, Keep};
    /// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice()), ("theme", Keep::Always, b"\"dark\"")]);
    /// assert!(!fields.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The fields in stored order.
    ///
    /// ```
    /// # use http_session_store::record::{Field, Fields, Keep};
    /// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice()), ("theme", Keep::Always, b"\"dark\"")]);
    /// let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    /// assert_eq!(names, ["views", "theme"]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = StoredField<'_>> {
        self.entries().filter_map(Entry::field)
    }

    /// The raw value of a field.
    ///
    /// ```
    /// # use http_session_store::record::{Field, Fields, Keep};
    /// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice()), ("theme", Keep::Always, b"\"dark\"")]);
    /// assert_eq!(fields.find("views"), Some(b"3".as_slice()));
    /// assert_eq!(fields.find("hits"), None);
    /// ```
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&[u8]> {
        self.entries().find(|entry| entry.name == name.as_bytes()).map(|entry| entry.value)
    }

    /// A field with its mark.
    ///
    /// ```
    /// # use http_session_store::record::{Field, Fields, Keep};
    /// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice()), ("theme", Keep::Always, b"\"dark\"")]);
    /// assert!(fields.entry("theme").is_some_and(|field| field.keep == Keep::Always));
    /// ```
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<StoredField<'_>> {
        self.entries().find(|entry| entry.name == name.as_bytes()).and_then(Entry::field)
    }

    /// Whether a field can be kept in a block.
    #[must_use]
    pub fn has_room(name: &str, value: &[u8]) -> bool {
        lengths(name, value).is_some()
    }

    /// The fields as they stand in the block.
    #[doc(hidden)]
    #[must_use]
    pub fn entries(&self) -> Entries<'_> {
        Entries { rest: self.as_bytes() }
    }

    /// The raw value of a field under its name, or where that is absent under the first of its older names (R15).
    ///
    /// ```
    /// # use http_session_store::record::{Field, Fields, Keep};
    /// # let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice()), ("theme", Keep::Always, b"\"dark\"")]);
    /// static COUNT: Field = Field::new("count").aliases(&["views"]);
    /// assert_eq!(fields.read(&COUNT), Some(b"3".as_slice()));
    /// ```
    #[must_use]
    pub fn read(&self, field: &Field) -> Option<&[u8]> {
        self.find(field.name).or_else(|| field.aliases.iter().find_map(|alias| self.find(alias)))
    }

    /// Whether both are the very same block, without looking inside.
    #[must_use]
    pub fn same_block(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            (None, None) => true,
            _ => false,
        }
    }
}

/// Finds fields that are asked for in the order of the block without searching for each from the start.
#[doc(hidden)]
pub struct FieldCursor<'a> {
    fields: &'a Fields,
    next: Entries<'a>,
}

impl<'a> FieldCursor<'a> {
    #[must_use]
    pub fn new(fields: &'a Fields) -> Self {
        Self { fields, next: fields.entries() }
    }

    /// As [`Fields::read`].
    pub fn read(&mut self, field: &Field) -> Option<&'a [u8]> {
        let mut after = self.next.clone();
        match after.next() {
            Some(entry) if entry.name == field.name.as_bytes() => {
                self.next = after;
                Some(entry.value)
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

/// As they are written before a name and its value, where these are not too long for that.
fn lengths(name: &str, value: &[u8]) -> Option<(u16, u32)> {
    Some((u16::try_from(name.len()).ok()?, u32::try_from(value.len()).ok()?))
}

fn split_entry(bytes: &[u8]) -> Option<(StoredField<'_>, &[u8])> {
    let mut entries = Entries { rest: bytes };
    let field = entries.next()?.field()?;
    Some((field, entries.rest))
}

/// One field as it stands in the block: a name is compared as bytes, and becomes text only for who asks for text.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub keep: Keep,
    pub name: &'a [u8],
    value: &'a [u8],
    /// All of its bytes.
    whole: &'a [u8],
}

impl<'a> Entry<'a> {
    fn field(self) -> Option<StoredField<'a>> {
        let name = std::str::from_utf8(self.name).ok()?;
        Some(StoredField { name, keep: self.keep, value: self.value })
    }
}

#[doc(hidden)]
#[derive(Clone)]
pub struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let (head, rest) = self.rest.split_first_chunk::<HEAD>()?;
        let [mark, n0, n1, v0, v1, v2, v3] = *head;
        let name_length = usize::from(u16::from_le_bytes([n0, n1]));
        let value_length = usize::try_from(u32::from_le_bytes([v0, v1, v2, v3])).ok()?;
        let (name, rest) = rest.split_at_checked(name_length)?;
        let (value, rest) = rest.split_at_checked(value_length)?;
        let whole = self.rest.get(..HEAD + name_length + value_length)?;
        self.rest = rest;
        Some(Entry { keep: Keep::from_byte(mark), name, value, whole })
    }
}

/// Equal when the same fields have the same marks and bytes, whatever their order.
impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.same_block(other)
            || self.as_bytes() == other.as_bytes()
            || (self.entries().count() == other.entries().count()
                && self.entries().all(|ours| {
                    let of_name = other.entries().find(|theirs| theirs.name == ours.name);
                    of_name.is_some_and(|theirs| theirs.keep == ours.keep && theirs.value == ours.value)
                }))
    }
}

impl Eq for Fields {}

/// Names that were seen. There are few; a record that somebody else wrote may have any number, and is read in linear time too.
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

impl<'a> FromIterator<StoredField<'a>> for Fields {
    fn from_iter<I: IntoIterator<Item = StoredField<'a>>>(fields: I) -> Self {
        let mut fields: SmallVec<[StoredField<'a>; 16]> = fields.into_iter().collect();
        // Of two fields with one name the last wins (R15).
        let mut names = Names::default();
        fields.reverse();
        fields.retain(|field| names.insert(field.name));
        let mut writer = FieldsWriter::new();
        fields.iter().rev().for_each(|field| writer.push(*field));
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
pub struct FieldsWriter(SmallVec<[u8; 512]>);

impl FieldsWriter {
    /// An empty block.
    #[must_use]
    pub fn new() -> Self {
        Self(SmallVec::new())
    }

    /// Appends a field. A name over 64 KiB or a value over 4 GiB cannot be written and is left out; the record limit
    /// refuses such a session long before.
    pub fn push(&mut self, field: StoredField<'_>) {
        let Some((name, value)) = lengths(field.name, field.value) else { return };
        self.0.push(field.keep.to_byte());
        self.0.extend_from_slice(&name.to_le_bytes());
        self.0.extend_from_slice(&value.to_le_bytes());
        self.0.extend_from_slice(field.name.as_bytes());
        self.0.extend_from_slice(field.value);
    }

    /// Appends a field as it stands in another block.
    #[doc(hidden)]
    pub fn copy(&mut self, entry: Entry<'_>) {
        self.0.extend_from_slice(entry.whole);
    }

    /// The fields so far.
    #[must_use]
    pub fn finish(&self) -> Fields {
        if self.0.is_empty() { Fields(None) } else { Fields(Some(Arc::from(self.0.as_slice()))) }
    }
}
