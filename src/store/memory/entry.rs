//! A row as the memory store keeps it: moments on the store's clock instead of ages.

use std::time::Duration;

use crate::id::SessionId;
use crate::record::{Ages, Epoch, Fields, Lifetime, RawJson, Row, VerifierHash};

/// What a row takes beside its values: its places in the map and in the queue, the headers of its values, and what the
/// allocator and half-filled tables add. Measured, and rounded up.
pub(super) const OVERHEAD: usize = 640;

/// What a row with an identity takes more: its place in the index.
pub(super) const IDENTITY_OVERHEAD: usize = 160;

/// Who gives way to whom (R14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    SignedIn,
    Anonymous,
    Tombstone,
}

/// Where a row stands in its queue: by its end, the one queued first before others with the same end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) end: Duration,
    pub(super) sequence: u64,
}

/// When things happened, on the store's clock.
#[derive(Clone, Copy)]
pub(super) struct Moments {
    pub(super) created: Duration,
    pub(super) identity: Duration,
    pub(super) verifier: Duration,
    pub(super) touched: Duration,
}

impl Moments {
    pub(super) const fn all_at(now: Duration) -> Self {
        Self { created: now, identity: now, verifier: now, touched: now }
    }
}

pub(super) struct Entry {
    epoch: Epoch,
    identity_epoch: Epoch,
    verifier: VerifierHash,
    previous: Option<VerifierHash>,
    identity: Option<RawJson>,
    cookie: Option<RawJson>,
    fields: Fields,
    pub(super) moments: Moments,
    pub(super) place: Place,
}

impl Entry {
    /// A row at its place. Its ages, time left and revision are the store's to say, so they are dropped.
    pub(super) fn new(row: Row, moments: Moments, place: Place) -> Self {
        let Row { epoch, identity_epoch, verifier, previous, identity, cookie, fields, .. } = row;
        Self { epoch, identity_epoch, verifier, previous, identity, cookie, fields, moments, place }
    }

    /// The row as it is at `now`. Shares all values.
    pub(super) fn row(&self, now: Duration) -> Row {
        Row {
            epoch: self.epoch,
            identity_epoch: self.identity_epoch,
            verifier: self.verifier,
            previous: self.previous,
            identity: self.identity.clone(),
            cookie: self.cookie.clone(),
            fields: self.fields.clone(),
            ages: Ages {
                created: now.saturating_sub(self.moments.created),
                identity: now.saturating_sub(self.moments.identity),
                verifier: now.saturating_sub(self.moments.verifier),
                touched: now.saturating_sub(self.moments.touched),
            },
            expires_in: self.time_left(now),
            revision: 0,
        }
    }

    pub(super) const fn identity(&self) -> Option<&RawJson> {
        self.identity.as_ref()
    }

    pub(super) fn is_live(&self, now: Duration) -> bool {
        self.place.end > now
    }

    pub(super) fn is_tombstone(&self) -> bool {
        self.verifier == VerifierHash::NONE
    }

    /// Whether a write that was computed for this epoch may happen (R4).
    pub(super) fn accepts(&self, epoch: Epoch) -> bool {
        !self.is_tombstone() && self.epoch == epoch
    }

    fn time_left(&self, now: Duration) -> Duration {
        self.place.end.saturating_sub(now)
    }

    /// The end of this row once a write with this lifetime has happened, of a row whose absolute lifetime counts from
    /// `identity` (R7).
    pub(super) fn end_after(&self, lifetime: Lifetime, identity: Duration, now: Duration) -> Duration {
        now.saturating_add(lifetime.time_left(self.time_left(now), now.saturating_sub(identity)))
    }

    pub(super) fn class(&self) -> Class {
        if self.is_tombstone() {
            Class::Tombstone
        } else if self.identity.is_some() {
            Class::SignedIn
        } else {
            Class::Anonymous
        }
    }

    /// What the row counts for. Its id is kept twice: in the map and in the queue.
    pub(super) fn bytes(&self, id: &SessionId) -> usize {
        let raw = |value: &Option<RawJson>| value.as_ref().map_or(0, |raw| raw.as_bytes().len());
        let values = self.fields.as_bytes().len() + raw(&self.identity) + raw(&self.cookie);
        let index = if self.identity.is_some() { IDENTITY_OVERHEAD } else { 0 };
        2 * id.as_bytes().len() + values + OVERHEAD + index
    }
}
