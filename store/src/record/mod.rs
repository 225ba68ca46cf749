//! What a store keeps of a session, and the change that a request makes to it.
//!
//! A [`Record`] is the session as stored; a [`Patch`] is one request's change, applied as a whole or not at all. Field values
//! are raw JSON: a store never looks inside them, and fields that this program does not know survive (R17).

mod field;
mod fields;
mod patch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use field::{Clear, Field, Keep, MergeFn};
#[doc(hidden)]
pub use fields::FieldCursor;
pub use fields::{Fields, FieldsWriter, StoredField};
pub use patch::{Change, IdentityChange, OnConflict, Patch, VerifierChange};

/// Counts the changes of a session's verifier. A write that was computed for another epoch is refused (R4).
///
/// ```
/// use http_session_store::record::Epoch;
///
/// assert!(Epoch(3).next() > Epoch(3));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch after this one.
    ///
    /// ```
    /// # use http_session_store::record::Epoch;
    /// assert_eq!(Epoch(3).next(), Epoch(4));
    /// ```
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// SHA-256 of a session's verifier: what a record keeps of the secret in the cookie (R1). A store keeps the 32 bytes as they are.
/// In the express format all records have the same.
///
/// ```
/// use http_session_store::record::VerifierHash;
///
/// assert_eq!(format!("{:?}", VerifierHash([7; 32])), "VerifierHash(..)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifierHash(pub [u8; 32]);

impl VerifierHash {
    /// No verifier has this hash: the mark of a destroyed session.
    ///
    /// ```
    /// # use http_session_store::record::{Record, VerifierHash};
    /// assert!(Record::new(VerifierHash::NONE).is_tombstone());
    /// ```
    pub const NONE: Self = Self([0; 32]);
}

impl fmt::Debug for VerifierHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifierHash(..)")
    }
}

/// JSON text as it stands in the store, shared without copying.
///
/// ```
/// use http_session_store::record::RawJson;
///
/// let identity = RawJson::new(b"42");
/// assert_eq!(identity.as_bytes(), b"42");
/// assert_eq!(format!("{identity:?}"), "RawJson(2 bytes)");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RawJson(Arc<[u8]>);

impl RawJson {
    /// Takes the bytes as they are; they need not be valid JSON (a value that does not decode is judged where it is read).
    ///
    /// ```
    /// # use http_session_store::record::RawJson;
    /// let profile = RawJson::new(br#"{"id":42}"#);
    /// ```
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    ///
    /// ```
    /// # use http_session_store::record::RawJson;
    /// assert_eq!(RawJson::new(b"42").as_bytes(), b"42");
    /// ```
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

/// How long ago things happened, by the store's clock (R7). A store fills them in when it loads a record.
///
/// ```
/// use std::time::Duration;
/// use http_session_store::record::Ages;
///
/// let ages = Ages { created: Duration::from_secs(3600), ..Ages::default() };
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ages {
    /// Since the session was created.
    pub created: Duration,
    /// Since the identity was last set, changed, affirmed or removed; since creation when it never was.
    pub identity: Duration,
    /// Since the verifier last changed; of a destroyed session, since it was destroyed.
    pub verifier: Duration,
    /// Since the last insert, update or touch that extended the session.
    pub touched: Duration,
}

/// How long a session may live (R7). The store adds it to its own clock.
///
/// ```
/// use std::time::Duration;
/// use http_session_store::record::{Extent, Lifetime};
///
/// let day = Duration::from_secs(24 * 3600);
/// let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Without activity.
    pub idle: Duration,
    /// In all: from when the identity was last set, changed, affirmed or removed, before that from creation.
    pub absolute: Duration,
    /// Whether the end may also move closer.
    pub extent: Extent,
}

/// Whether a write may move the end of a session closer (R7).
///
/// ```
/// # use std::time::Duration;
/// # use http_session_store::record::{Extent, Lifetime};
/// # let day = Duration::from_secs(24 * 3600);
/// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
/// let shorter = Lifetime { idle: day / 2, extent: Extent::Set, ..lifetime };
/// assert_eq!(shorter.time_left(day, Duration::ZERO), day / 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The end only moves away: a touch never shortens.
    Extend,
    /// The end is set: the request gave the session its own `max_age`.
    Set,
}

impl Lifetime {
    /// Leaves the end where it is: for a write that is no activity.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::record::{Extent, Lifetime};
    /// # let day = Duration::from_secs(24 * 3600);
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// assert_eq!(lifetime.unchanged().time_left(day / 3, Duration::ZERO), day / 3);
    /// ```
    #[must_use]
    pub const fn unchanged(self) -> Self {
        Self { idle: Duration::ZERO, extent: Extent::Extend, ..self }
    }

    /// The new time left, from the one before and the age that counts for the absolute end. Pure; the one place where
    /// lifetimes are clamped, so that every store agrees.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::record::{Extent, Lifetime};
    /// # let day = Duration::from_secs(24 * 3600);
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// // A touch of a session that is 29.5 days old: the absolute end is near.
    /// assert_eq!(lifetime.time_left(day / 3, 29 * day + day / 2), day / 2);
    /// ```
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
/// A destroyed session stays for a minute as a *tombstone*, [`Record::tombstone`]: no cookie fits it, so a late request is
/// recognised and can change nothing (R6, R8).
///
/// ```
/// use http_session_store::record::{Fields, Keep, RawJson, Record, VerifierHash};
///
/// let record = Record {
///     identity: Some(RawJson::new(b"42")),
///     fields: Fields::from_iter([("views", Keep::No, b"3".as_slice())]),
///     ..Record::new(VerifierHash([7; 32]))
/// };
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The epoch that a write must name.
    pub epoch: Epoch,
    /// The epoch in which the identity's value last changed. A superseded cookie of this epoch or a later one may still
    /// sign out (R6).
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
    /// For formats that compare and swap whole records; zero elsewhere. Ignored by `insert`.
    pub revision: u64,
}

impl Record {
    /// A record that was never stored: anonymous, without fields, in the first epoch.
    ///
    /// ```
    /// # use http_session_store::record::{Fields, Keep, RawJson, Record, VerifierHash};
    /// let record = Record::new(VerifierHash([7; 32]));
    /// assert!(record.fields.is_empty() && record.identity.is_none());
    /// ```
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

    /// What remains of a destroyed session: a record that no verifier fits, in an epoch that no request has loaded. A store keeps
    /// it for [`TOMBSTONE_LIFETIME`].
    ///
    /// ```
    /// # use http_session_store::record::{Fields, Keep, RawJson, Record, VerifierHash};
    /// let record = Record::new(VerifierHash([7; 32]));
    /// let tombstone = record.tombstone();
    /// assert!(tombstone.is_tombstone() && tombstone.epoch > record.epoch);
    /// ```
    #[must_use]
    pub fn tombstone(&self) -> Self {
        Self { epoch: self.epoch.next(), ..Self::new(VerifierHash::NONE) }
    }

    /// Whether this is what remains of a destroyed session.
    ///
    /// ```
    /// # use http_session_store::record::{Fields, Keep, RawJson, Record, VerifierHash};
    /// assert!(!Record::new(VerifierHash([7; 32])).is_tombstone());
    /// ```
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.verifier == VerifierHash::NONE
    }

    /// The age that counts for the absolute lifetime (R7): that of the identity.
    ///
    /// ```
    /// # use http_session_store::record::{Fields, Keep, RawJson, Record, VerifierHash};
    /// let record = Record::new(VerifierHash([7; 32]));
    /// assert_eq!(record.absolute_age(), record.ages.identity);
    /// ```
    #[must_use]
    pub fn absolute_age(&self) -> Duration {
        self.ages.identity
    }

    /// Bytes that the fields with their names, the identity and the cookie attributes take: what the record limit counts
    /// (R14).
    ///
    /// ```
    /// # use http_session_store::record::{Fields, Keep, RawJson, Record, VerifierHash};
    /// let record = Record { identity: Some(RawJson::new(b"42")), ..Record::new(VerifierHash([7; 32])) };
    /// assert_eq!(record.size(), 2);
    /// ```
    #[must_use]
    pub fn size(&self) -> usize {
        let raw = |value: &Option<RawJson>| value.as_ref().map_or(0, |raw| raw.as_bytes().len());
        self.fields.as_bytes().len() + raw(&self.identity) + raw(&self.cookie)
    }
}

/// How long a tombstone stays (R6, R8): a minute.
///
/// ```
/// assert_eq!(http_session_store::record::TOMBSTONE_LIFETIME.as_secs(), 60);
/// ```
pub const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(60);
