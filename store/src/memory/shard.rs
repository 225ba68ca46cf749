//! One shard: the records of some of the ids, in order of their end.
//!
//! Everything here runs under the shard's lock, so nothing here calls the user's code, such as a clock.
//! Therefore nothing here panics half-way, and a poisoned lock still guards a consistent shard.

use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use super::identities::Identities;
use super::queue::Queue;
use super::queued::{Class, QueuePosition, Queued};
use crate::answer::{Destroyed, Inserted, Touched, Updated};
use crate::entry::Entry;
use crate::error::{StoreError, StoreErrorKind};
use crate::id::SessionId;
use crate::record::{Epoch, Lifetime, Patch, RawJson, Record};

/// Expired records that one write removes at most. A write adds at most one record, so the expired ones run out.
const SWEPT_PER_WRITE: usize = 8;

/// What a shard may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) sessions: usize,
    pub(super) bytes: usize,
    pub(super) anonymous_sessions: usize,
    pub(super) anonymous_bytes: usize,
}

/// Whether an anonymous record must fit into the anonymous share.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Share {
    Kept,
    /// It may exceed the share once no other anonymous record is left: a sign-out must not fail because the session was large.
    Exceeded,
}

pub(super) struct Shard {
    limits: Limits,
    /// `RandomState`, since an application's own ids may have any shape, and nobody can aim at this hash.
    ///
    /// Boxed, since the table keeps up to three free slots for each record while records come and go.
    entries: HashMap<SessionId, Box<Queued>>,
    pub(super) signed_in: Queue,
    pub(super) anonymous: Queue,
    pub(super) tombstones: Queue,
    identities: Identities,
    /// The latest time seen. The clock is read before the lock is taken, and here time does not go back.
    now: Duration,
    sequence: u64,
    pub(super) evicted: u64,
}

impl Shard {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: HashMap::new(),
            signed_in: Queue::default(),
            anonymous: Queue::default(),
            tombstones: Queue::default(),
            identities: Identities::default(),
            now: Duration::ZERO,
            sequence: 0,
            evicted: 0,
        }
    }

    pub(super) fn load(&mut self, now: Duration, id: &SessionId) -> Option<Record> {
        let now = self.tick(now);
        match self.entries.get(id) {
            Some(queued) if queued.entry.is_live(now) => Some(queued.entry.record(now)),
            Some(_) => {
                self.remove(id);
                None
            }
            None => None,
        }
    }

    pub(super) fn insert(
        &mut self,
        now: Duration,
        id: &SessionId,
        record: &Record,
        lifetime: Lifetime,
    ) -> Result<Inserted, StoreError> {
        let now = self.begin_write(now);
        match self.entries.get(id) {
            Some(queued) if queued.entry.is_live(now) => return Ok(Inserted::Taken),
            Some(_) => _ = self.remove(id),
            None => {}
        }
        self.sequence += 1;
        let queued = Queued { entry: Entry::new(record, lifetime, now), sequence: self.sequence };
        let (class, bytes) = (queued.class(), queued.bytes(id));
        if !self.make_room(now, class, bytes, Share::Kept) {
            return Err(StoreError::new(StoreErrorKind::Full));
        }
        self.queue(class).push(queued.position(), id.clone(), bytes);
        self.identities.change(id, None, queued.entry.identity());
        self.entries.insert(id.clone(), Box::new(queued));
        Ok(Inserted::Inserted)
    }

    pub(super) fn update(
        &mut self,
        now: Duration,
        id: &SessionId,
        patch: &Patch,
        lifetime: Lifetime,
    ) -> Result<Updated, StoreError> {
        let now = self.begin_write(now);
        let Some(old) = self.entries.get(id) else { return Ok(Updated::Missing) };
        // A copy, since there may be no room for what the patch makes of it.
        let mut new = Queued::clone(old);
        let updated = new.entry.update(patch, lifetime, now);
        if matches!(updated, Updated::Applied { .. }) {
            let old = (old.class(), old.bytes(id), old.position());
            self.replace(now, id, old, new)?;
        }
        Ok(updated)
    }

    pub(super) fn touch(&mut self, now: Duration, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Touched {
        let now = self.begin_write(now);
        let Some(queued) = self.entries.get_mut(id) else { return Touched::Missing };
        let (old, class, bytes) = (queued.position(), queued.class(), queued.bytes(id));
        let touched = queued.entry.touch(epoch, lifetime, now);
        let new = queued.position();
        if new != old {
            let queue = self.queue(class);
            if let Some(id) = queue.take(old, bytes) {
                queue.push(new, id, bytes);
            }
        }
        touched
    }

    pub(super) fn destroy(&mut self, now: Duration, id: &SessionId, epoch: Option<Epoch>) -> Destroyed {
        let now = self.begin_write(now);
        let Some(old) = self.entries.get(id) else { return Destroyed::Missing };
        let mut tombstone = Queued::clone(old);
        let destroyed = tombstone.entry.destroy(epoch, now);
        if destroyed == Destroyed::Destroyed {
            let old = (old.class(), old.bytes(id), old.position());
            // A tombstone holds no values, so it never needs more room than the record it replaces.
            if self.replace(now, id, old, tombstone).is_err() {
                self.remove(id);
            }
        }
        destroyed
    }

    pub(super) fn clear(&mut self, now: Duration) {
        let now = self.tick(now);
        self.sweep(now, usize::MAX);
        let ids: Vec<SessionId> = self.signed_in.live(now).chain(self.anonymous.live(now)).cloned().collect();
        for id in ids {
            let _ = self.destroy(now, &id, None);
        }
    }

    /// Sessions that are alive, without tombstones.
    pub(super) fn len(&mut self, now: Duration) -> usize {
        let now = self.tick(now);
        self.sweep(now, usize::MAX);
        self.signed_in.len() + self.anonymous.len()
    }

    /// Keeps in `page` the `limit` smallest ids after the given one.
    pub(super) fn page(
        &mut self,
        now: Duration,
        after: Option<&SessionId>,
        limit: usize,
        page: &mut BinaryHeap<SessionId>,
    ) {
        let now = self.tick(now);
        let ids = self.signed_in.live(now).chain(self.anonymous.live(now));
        keep_smallest(page, limit, ids.filter(|id| after.is_none_or(|after| *id > after)));
    }

    /// The same of the ids of one identity.
    pub(super) fn page_of(
        &mut self,
        now: Duration,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
        page: &mut BinaryHeap<SessionId>,
    ) {
        let now = self.tick(now);
        let is_live = |id: &&SessionId| self.entries.get(*id).is_some_and(|queued| queued.entry.is_live(now));
        keep_smallest(page, limit, self.identities.after(identity, after).filter(is_live).take(limit));
    }

    fn tick(&mut self, now: Duration) -> Duration {
        self.now = self.now.max(now);
        self.now
    }

    fn begin_write(&mut self, now: Duration) -> Duration {
        let now = self.tick(now);
        self.sweep(now, SWEPT_PER_WRITE);
        now
    }

    fn queue(&mut self, class: Class) -> &mut Queue {
        match class {
            Class::SignedIn => &mut self.signed_in,
            Class::Anonymous => &mut self.anonymous,
            Class::Tombstone => &mut self.tombstones,
        }
    }

    fn remove(&mut self, id: &SessionId) -> bool {
        let Some(queued) = self.entries.remove(id) else { return false };
        self.identities.change(id, queued.entry.identity(), None);
        self.queue(queued.class()).take(queued.position(), queued.bytes(id)).is_some()
    }

    fn remove_first(&mut self, class: Class) -> bool {
        let Some(id) = self.queue(class).first().cloned() else { return false };
        self.remove(&id)
    }

    fn sweep(&mut self, now: Duration, at_most: usize) {
        for _ in 0..at_most {
            if !self.sweep_one(now) {
                return;
            }
        }
    }

    fn sweep_one(&mut self, now: Duration) -> bool {
        [Class::Tombstone, Class::Anonymous, Class::SignedIn]
            .into_iter()
            .any(|class| self.queue(class).first_has_expired(now) && self.remove_first(class))
    }

    /// Replaces a record by a new version, or writes nothing. It is given class, bytes and position of the old version, so that
    /// it need not look it up again.
    fn replace(
        &mut self,
        now: Duration,
        id: &SessionId,
        (old_class, old_bytes, old_position): (Class, usize, QueuePosition),
        new: Queued,
    ) -> Result<(), StoreError> {
        let (class, bytes) = (new.class(), new.bytes(id));
        // While it is out of its queue, the record is neither counted nor evicted for its own new version.
        let Some(key) = self.queue(old_class).take(old_position, old_bytes) else {
            return Err(StoreError::new(StoreErrorKind::Corrupt));
        };
        let fits = class == old_class && bytes <= old_bytes;
        let signs_out = old_class == Class::SignedIn && class == Class::Anonymous;
        let share = if signs_out { Share::Exceeded } else { Share::Kept };
        if !fits && !self.make_room(now, class, bytes, share) {
            self.queue(old_class).push(old_position, key, old_bytes);
            return Err(StoreError::new(StoreErrorKind::Full));
        }
        self.queue(class).push(new.position(), key, bytes);
        if let Some(queued) = self.entries.get_mut(id) {
            self.identities.change(id, queued.entry.identity(), new.entry.identity());
            **queued = new;
        }
        Ok(())
    }

    /// Removes expired records, then tombstones, then anonymous sessions, each by the nearest end, until a record fits in. If
    /// that would not help, nothing is evicted and the answer is `false`.
    fn make_room(&mut self, now: Duration, class: Class, bytes: usize, share: Share) -> bool {
        let anonymous = class == Class::Anonymous;
        if anonymous && share == Share::Kept && !self.share_could_hold(bytes) {
            return false;
        }
        while !self.could_hold(bytes) {
            if !(self.signed_in.first_has_expired(now) && self.remove_first(Class::SignedIn)) {
                return false;
            }
        }
        loop {
            let over_share = anonymous && self.anonymous.len() > 0 && self.over_share(bytes);
            if !over_share && !self.over_bound(bytes) {
                return true;
            }
            if self.sweep_one(now) {
                continue;
            }
            let spare_tombstones = over_share || self.tombstones.len() == 0;
            let victim = if spare_tombstones { Class::Anonymous } else { Class::Tombstone };
            if !self.remove_first(victim) {
                return false;
            }
            self.evicted += 1;
        }
    }

    /// Whether a record fits once all evictable ones are gone.
    fn could_hold(&self, bytes: usize) -> bool {
        self.signed_in.len() < self.limits.sessions && self.signed_in.bytes().saturating_add(bytes) <= self.limits.bytes
    }

    fn share_could_hold(&self, bytes: usize) -> bool {
        self.limits.anonymous_sessions > 0 && bytes <= self.limits.anonymous_bytes
    }

    fn over_share(&self, bytes: usize) -> bool {
        self.anonymous.len() >= self.limits.anonymous_sessions
            || self.anonymous.bytes().saturating_add(bytes) > self.limits.anonymous_bytes
    }

    fn over_bound(&self, bytes: usize) -> bool {
        let records = self.signed_in.len() + self.anonymous.len() + self.tombstones.len();
        let held = self.signed_in.bytes() + self.anonymous.bytes() + self.tombstones.bytes();
        records >= self.limits.sessions || held.saturating_add(bytes) > self.limits.bytes
    }
}

fn keep_smallest<'a>(page: &mut BinaryHeap<SessionId>, limit: usize, ids: impl Iterator<Item = &'a SessionId>) {
    for id in ids {
        if page.len() < limit {
            page.push(id.clone());
        } else if let Some(mut largest) = page.peek_mut()
            && id < &*largest
        {
            *largest = id.clone();
        }
    }
}

#[cfg(test)]
impl Shard {
    /// Counts everything again, and compares.
    pub(super) fn check(&self) {
        for (class, queue) in [
            (Class::SignedIn, &self.signed_in),
            (Class::Anonymous, &self.anonymous),
            (Class::Tombstone, &self.tombstones),
        ] {
            let of_class = || self.entries.iter().filter(|(_, queued)| queued.class() == class);
            assert_eq!(queue.len(), of_class().count());
            assert_eq!(queue.bytes(), of_class().map(|(id, queued)| queued.bytes(id)).sum::<usize>());
            assert!(of_class().all(|(id, queued)| queue.at(queued.position()) == Some(id)));
        }
        let signed_in = self.entries.iter().filter_map(|(id, queued)| Some((queued.entry.identity()?, id)));
        let indexed: HashMap<_, _> = self.identities.iter().map(|(identity, id)| (id, identity)).collect();
        assert_eq!(self.identities.iter().count(), self.signed_in.len());
        assert!(signed_in.into_iter().all(|(identity, id)| indexed.get(id) == Some(&identity)));
        assert!(self.entries.len() <= self.limits.sessions);
        assert!(self.signed_in.bytes() + self.anonymous.bytes() + self.tombstones.bytes() <= self.limits.bytes);
    }
}
