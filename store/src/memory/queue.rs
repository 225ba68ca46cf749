//! The order in which records end, and in which they make room for others.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use super::queued::QueuePosition;
use crate::id::SessionId;

/// The records of one class by their end, and their bytes.
#[derive(Default)]
pub(super) struct Queue {
    order: BTreeMap<QueuePosition, SessionId>,
    bytes: usize,
}

impl Queue {
    pub(super) fn push(&mut self, position: QueuePosition, id: SessionId, bytes: usize) {
        self.order.insert(position, id);
        self.bytes += bytes;
    }

    pub(super) fn take(&mut self, position: QueuePosition, bytes: usize) -> Option<SessionId> {
        let id = self.order.remove(&position)?;
        self.bytes -= bytes;
        Some(id)
    }

    pub(super) fn first(&self) -> Option<&SessionId> {
        self.order.first_key_value().map(|(_, id)| id)
    }

    pub(super) fn first_has_expired(&self, now: Duration) -> bool {
        self.order.first_key_value().is_some_and(|(position, _)| position.end <= now)
    }

    pub(super) fn live(&self, now: Duration) -> impl Iterator<Item = &SessionId> {
        let last_expired = QueuePosition { end: now, sequence: u64::MAX };
        self.order.range((Bound::Excluded(last_expired), Bound::Unbounded)).map(|(_, id)| id)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn at(&self, position: QueuePosition) -> Option<&SessionId> {
        self.order.get(&position)
    }
}
