//! An entry, and where it stands in the queue of its class.

use std::time::Duration;

use crate::entry::Entry;
use crate::id::SessionId;

/// Bytes that a record takes beside its values: in the map and in the queue, for the headers of its values, and what the
/// allocator and half-filled tables add. Measured, and rounded up.
pub(super) const RECORD_OVERHEAD: usize = 640;

/// Bytes that a record with an identity takes more, in the index.
pub(super) const IDENTITY_OVERHEAD: usize = 160;

/// Which records make room for which others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    SignedIn,
    Anonymous,
    Tombstone,
}

/// Where a record stands in its queue: by its end; with the same end, in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueuePosition {
    pub(super) end: Duration,
    pub(super) sequence: u64,
}

#[derive(Clone)]
pub(super) struct Queued {
    pub(super) entry: Entry,
    pub(super) sequence: u64,
}

impl Queued {
    pub(super) fn position(&self) -> QueuePosition {
        QueuePosition { end: self.entry.end(), sequence: self.sequence }
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

    /// The bytes that are counted for the record. Its id is kept twice, in the map and in the queue.
    pub(super) fn bytes(&self, id: &SessionId) -> usize {
        let index = if self.entry.identity().is_some() { IDENTITY_OVERHEAD } else { 0 };
        2 * id.as_bytes().len() + self.entry.size() + RECORD_OVERHEAD + index
    }
}
