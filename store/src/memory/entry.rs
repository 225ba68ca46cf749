//! An entry at its place in the queue of its class.

use std::time::Duration;

use crate::Entry;
use crate::id::SessionId;

/// What a record takes beside its values: its places in the map and in the queue, the headers of its values, and what the
/// allocator and half-filled tables add. Measured, and rounded up.
pub(super) const OVERHEAD: usize = 640;

/// What a record with an identity takes more: its place in the index.
pub(super) const IDENTITY_OVERHEAD: usize = 160;

/// Who gives way to whom (R14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    SignedIn,
    Anonymous,
    Tombstone,
}

/// Where a record stands in its queue: by its end, the one queued first before others with the same end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) end: Duration,
    pub(super) sequence: u64,
}

#[derive(Clone)]
pub(super) struct Queued {
    pub(super) entry: Entry,
    pub(super) sequence: u64,
}

impl Queued {
    pub(super) fn place(&self) -> Place {
        Place { end: self.entry.end(), sequence: self.sequence }
    }

    pub(super) fn class(&self) -> Class {
        if self.entry.is_tombstone() {
            Class::Tombstone
        } else if self.entry.identity().is_some() {
            Class::SignedIn
        } else {
            Class::Anonymous
        }
    }

    /// What the record counts for. Its id is kept twice: in the map and in the queue.
    pub(super) fn bytes(&self, id: &SessionId) -> usize {
        let index = if self.entry.identity().is_some() { IDENTITY_OVERHEAD } else { 0 };
        2 * id.as_bytes().len() + self.entry.size() + OVERHEAD + index
    }
}
