//! A session as a store keeps it.

use std::time::Duration;

use super::fields::Fields;
use super::lifetime::Ages;
use super::raw::RawJson;
use super::verifier::{Epoch, VerifierHash};

/// A session as a store keeps it.
///
/// A destroyed session stays for a minute as a *tombstone*, [`Record::tombstone`]. No cookie fits a tombstone, so a late request
/// is recognised and can change nothing.
///
/// Start from [`Record::new`]; the fields are there to assign:
///
/// ```
/// use http_session_store::record::{Fields, Keep, RawJson, Record, VerifierHash};
///
/// let fields = Fields::from_iter([("views", Keep::No, b"3".as_slice())]);
/// let mut record = Record::new(VerifierHash([7; 32])).with_fields(fields);
/// record.identity = Some(RawJson::new(b"42"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// The epoch that a write must name.
    pub epoch: Epoch,
    /// The epoch in which the identity's value last changed. A superseded cookie of this epoch or a later one may still
    /// sign out.
    pub identity_epoch: Epoch,
    /// Hash of the current verifier.
    pub verifier: VerifierHash,
    /// Hash of the verifier before it, while that is still valid (periodic renewal).
    pub previous: Option<VerifierHash>,
    /// Who is signed in, as raw JSON. It is not one of the fields.
    pub identity: Option<RawJson>,
    /// The session's own cookie attributes, as a JSON object.
    pub cookie: Option<RawJson>,
    /// The user's fields.
    pub fields: Fields,
    /// Ages by the store's clock. Ignored by `insert`.
    pub ages: Ages,
    /// Time left by the store's clock. Ignored by `insert`.
    pub expires_in: Duration,
    /// For formats that compare and swap whole records; zero in others. Ignored by `insert`.
    pub revision: u64,
}

impl Record {
    /// A record that was never stored: anonymous, without fields, in the first epoch.
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
            ages: Ages::ZERO,
            expires_in: Duration::ZERO,
            revision: 0,
        }
    }

    /// With this identity.
    #[must_use]
    pub fn with_identity(self, identity: RawJson) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// With these cookie attributes, a JSON object.
    #[must_use]
    pub fn with_cookie(self, cookie: RawJson) -> Self {
        Self { cookie: Some(cookie), ..self }
    }

    /// With these fields.
    #[must_use]
    pub fn with_fields(self, fields: Fields) -> Self {
        Self { fields, ..self }
    }

    /// What remains of a destroyed session: a record that no verifier fits, in an epoch that no request has loaded. A store
    /// keeps it for [`TOMBSTONE_LIFETIME`](super::TOMBSTONE_LIFETIME).
    ///
    /// ```
    /// # use http_session_store::record::{Record, VerifierHash};
    /// let record = Record::new(VerifierHash([7; 32]));
    /// let tombstone = record.tombstone();
    /// assert!(tombstone.is_tombstone() && tombstone.epoch > record.epoch);
    /// ```
    #[must_use]
    pub fn tombstone(&self) -> Self {
        Self { epoch: self.epoch.next(), ..Self::new(VerifierHash::NONE) }
    }

    /// Whether this is what remains of a destroyed session.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.verifier == VerifierHash::NONE
    }

    /// The age that counts for the absolute lifetime: that of the identity.
    #[must_use]
    pub fn absolute_age(&self) -> Duration {
        self.ages.identity
    }

    /// Bytes that the fields with their names, the identity and the cookie attributes take. The limit on the size of a record
    /// counts these.
    #[must_use]
    pub fn size(&self) -> usize {
        let raw = |value: &Option<RawJson>| value.as_ref().map_or(0, |raw| raw.as_bytes().len());
        self.fields.as_bytes().len() + raw(&self.identity) + raw(&self.cookie)
    }
}
