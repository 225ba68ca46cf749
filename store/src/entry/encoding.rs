//! An entry as bytes.

use std::time::Duration;

use super::{Entry, Moments};
use crate::error::InvalidEntry;
use crate::record::{Epoch, Fields, RawJson, VerifierHash};

const NAME: &[u8; 3] = b"hsr";
const VERSION: u8 = 1;

// Which of the optional values follow.
const PREVIOUS: u8 = 1;
const IDENTITY: u8 = 2;
const COOKIE: u8 = 4;

/// The bytes of the values that an entry always has: name, version, marks, two epochs, a hash, five moments, a length.
const FIXED_BYTES: usize = 3 + 1 + 1 + 2 * 8 + 32 + 5 * 12 + 8;

/// As bytes, for stores that keep an entry in a file, a blob or one value.
impl Entry {
    /// The whole entry. [`from_bytes`](Self::from_bytes) reads it, in this and every later version of this crate.
    ///
    /// Numbers are little endian. A moment is whole seconds (8 bytes) and nanoseconds (4) on the store's clock. A text is its
    /// length (8) and its bytes.
    ///
    /// | value | bytes |
    /// |---|---|
    /// | `hsr`, then the version, 1 | 4 |
    /// | which optional values follow: 1 a previous verifier, 2 an identity, 4 cookie attributes | 1 |
    /// | epoch, epoch of the identity | 8 each |
    /// | SHA-256 of the verifier; zeros in a tombstone | 32 |
    /// | SHA-256 of the previous verifier | 32, optional |
    /// | moments: created, identity, verifier, touched, end | 12 each |
    /// | identity, JSON | text, optional |
    /// | cookie attributes, JSON | text, optional |
    /// | fields: for each its mark (1), length of the name (2), length of the value (4), name, value as JSON | text |
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let marks = if self.previous.is_some() { PREVIOUS } else { 0 }
            | if self.identity.is_some() { IDENTITY } else { 0 }
            | if self.cookie.is_some() { COOKIE } else { 0 };
        let mut bytes = Vec::with_capacity(FIXED_BYTES + 32 + 8 + 8 + self.size());
        bytes.extend_from_slice(NAME);
        bytes.extend_from_slice(&[VERSION, marks]);
        bytes.extend_from_slice(&self.epoch.0.to_le_bytes());
        bytes.extend_from_slice(&self.identity_epoch.0.to_le_bytes());
        bytes.extend_from_slice(&self.verifier.0);
        if let Some(previous) = &self.previous {
            bytes.extend_from_slice(&previous.0);
        }
        let Moments { created, identity, verifier, touched } = self.moments;
        for moment in [created, identity, verifier, touched, self.end] {
            bytes.extend_from_slice(&moment.as_secs().to_le_bytes());
            bytes.extend_from_slice(&moment.subsec_nanos().to_le_bytes());
        }
        for text in [&self.identity, &self.cookie].into_iter().flatten() {
            push_text(&mut bytes, text.as_bytes());
        }
        push_text(&mut bytes, self.fields.as_bytes());
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    ///
    /// # Errors
    /// The bytes are not an entry, are cut off, have more bytes after them, or were written by a later version of this crate. As
    /// a [`StoreError`](crate::error::StoreError) this is [`Corrupt`](crate::error::StoreErrorKind::Corrupt).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// let entry = Entry::new(&record, Lifetime::new(day, 30 * day), 20_000 * day);
    /// assert_eq!(Entry::from_bytes(&entry.to_bytes())?, entry);
    /// # Ok::<_, http_session_store::error::InvalidEntry>(())
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidEntry> {
        let mut reader = Reader { rest: bytes };
        if &reader.array()? != NAME {
            return Err(InvalidEntry::MALFORMED);
        }
        let [version] = reader.array()?;
        if version != VERSION {
            return Err(InvalidEntry::UNKNOWN_VERSION);
        }
        let entry = reader.entry()?;
        if reader.rest.is_empty() { Ok(entry) } else { Err(InvalidEntry::MALFORMED) }
    }
}

fn push_text(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text);
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// What follows the version.
    fn entry(&mut self) -> Result<Entry, InvalidEntry> {
        let [marks] = self.array()?;
        if marks & !(PREVIOUS | IDENTITY | COOKIE) != 0 {
            return Err(InvalidEntry::MALFORMED);
        }
        // In the order of the bytes.
        Ok(Entry {
            epoch: Epoch(self.number()?),
            identity_epoch: Epoch(self.number()?),
            verifier: VerifierHash(self.array()?),
            previous: if marks & PREVIOUS == 0 { None } else { Some(VerifierHash(self.array()?)) },
            moments: Moments {
                created: self.moment()?,
                identity: self.moment()?,
                verifier: self.moment()?,
                touched: self.moment()?,
            },
            end: self.moment()?,
            identity: if marks & IDENTITY == 0 { None } else { Some(RawJson::new(self.text()?)) },
            cookie: if marks & COOKIE == 0 { None } else { Some(RawJson::new(self.text()?)) },
            fields: Fields::from_bytes(self.text()?).map_err(|_| InvalidEntry::MALFORMED)?,
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], InvalidEntry> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(InvalidEntry::MALFORMED)?;
        self.rest = rest;
        Ok(*array)
    }

    fn number(&mut self) -> Result<u64, InvalidEntry> {
        self.array().map(u64::from_le_bytes)
    }

    fn moment(&mut self) -> Result<Duration, InvalidEntry> {
        let (seconds, nanos) = (self.number()?, self.array().map(u32::from_le_bytes)?);
        if nanos < 1_000_000_000 { Ok(Duration::new(seconds, nanos)) } else { Err(InvalidEntry::MALFORMED) }
    }

    fn text(&mut self) -> Result<&'a [u8], InvalidEntry> {
        let length = usize::try_from(self.number()?).map_err(|_| InvalidEntry::MALFORMED)?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(InvalidEntry::MALFORMED)?;
        self.rest = rest;
        Ok(text)
    }
}
