//! One shard: the rows of some of the ids, in order of their end.
//!
//! Everything here runs under the shard's lock, so nothing here calls the user's code: neither clock nor merge function.
//! Therefore nothing here panics half-way, and a lock that says it is poisoned still guards a consistent shard.

use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use super::entry::{Class, Entry, Moments, Place};
use super::identities::Identities;
use super::queue::Queue;
use crate::error::{StoreError, StoreErrorKind};
use crate::id::SessionId;
use crate::record::{Epoch, Fields, Lifetime, Patch, RawJson, Row, TOMBSTONE_LIFETIME, VerifierChange};
use crate::store::{Destroyed, Inserted, Touched, Updated};

/// Expired rows that one write removes at most. A write adds at most one row, so the expired ones run out.
const SWEPT_PER_WRITE: usize = 8;

/// What a shard may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) sessions: usize,
    pub(super) bytes: usize,
    pub(super) anonymous_sessions: usize,
    pub(super) anonymous_bytes: usize,
}

/// What the user's merge functions made of the fields that the row had.
pub(super) struct Merged {
    pub(super) theirs: Fields,
    pub(super) result: Fields,
}

/// How far an update came.
pub(super) enum Step {
    Done(Updated),
    /// Merge functions have to run, without the lock, on this row's fields.
    Merge(Box<Row>),
}

pub(super) struct Shard {
    limits: Limits,
    /// `RandomState`: ids of an application's own making may have any shape, and this hash cannot be aimed at.
    ///
    /// Boxed: the table keeps up to three free places for each row when rows come and go, so they had better be small.
    entries: HashMap<SessionId, Box<Entry>>,
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

    pub(super) fn load(&mut self, now: Duration, id: &SessionId) -> Option<Row> {
        let now = self.tick(now);
        match self.entries.get(id) {
            Some(entry) if entry.is_live(now) => Some(entry.row(now)),
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
        row: &Row,
        lifetime: Lifetime,
    ) -> Result<Inserted, StoreError> {
        let now = self.begin_write(now);
        match self.entries.get(id) {
            Some(entry) if entry.is_live(now) => return Ok(Inserted::Taken),
            Some(_) => _ = self.remove(id),
            None => {}
        }
        let end = now.saturating_add(lifetime.time_left(Duration::ZERO, Duration::ZERO));
        self.sequence += 1;
        let place = Place { end, sequence: self.sequence };
        let entry = Entry::new(row.clone(), Moments::all_at(now), place);
        let (class, bytes) = (entry.class(), entry.bytes(id));
        if !self.make_room(now, class, bytes, true) {
            return Err(StoreError::new(StoreErrorKind::Full));
        }
        self.queue(class).push(place, id.clone(), bytes);
        self.identities.change(id, None, entry.identity());
        self.entries.insert(id.clone(), Box::new(entry));
        Ok(Inserted::Inserted)
    }

    /// Applies a patch unless merge functions have to run first; `merged` is what they made at the last attempt.
    pub(super) fn update(
        &mut self,
        now: Duration,
        id: &SessionId,
        patch: &Patch,
        lifetime: Lifetime,
        merged: Option<Merged>,
    ) -> Result<Step, StoreError> {
        let now = self.begin_write(now);
        let Some(entry) = self.live(id, now) else { return Ok(Step::Done(Updated::Missing)) };
        if !entry.accepts(patch.epoch) {
            return Ok(Step::Done(Updated::Superseded));
        }
        let mut row = entry.row(now);
        let fields = match merged {
            Some(merged) if merged.theirs.same_block(&row.fields) => merged.result,
            _ if runs_merge_functions(patch, &row.fields) => return Ok(Step::Merge(Box::new(row))),
            _ => match patch.merge_into(&row.fields) {
                Ok(fields) => fields,
                Err(_) => return Ok(Step::Done(Updated::Conflict(Box::new(row)))),
            },
        };
        let renewed = patch.apply_merged(&mut row, fields);
        let mut moments = entry.moments;
        if patch.resets_identity_age() {
            moments.identity = now;
        }
        if renewed && !matches!(patch.verifier, VerifierChange::Unchanged) {
            moments.verifier = now;
        }
        if !lifetime.idle.is_zero() {
            moments.touched = now;
        }
        let place = Place { end: entry.end_after(lifetime, moments.identity, now), ..entry.place };
        let old = (entry.class(), entry.bytes(id), entry.place);
        self.replace(now, id, old, Entry::new(row, moments, place))?;
        Ok(Step::Done(Updated::Applied { renewed }))
    }

    pub(super) fn touch(&mut self, now: Duration, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Touched {
        let now = self.begin_write(now);
        let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.is_live(now)) else {
            return Touched::Missing;
        };
        if !entry.accepts(epoch) {
            return Touched::Superseded;
        }
        if !lifetime.idle.is_zero() {
            entry.moments.touched = now;
        }
        let (old, class, bytes) = (entry.place, entry.class(), entry.bytes(id));
        entry.place.end = entry.end_after(lifetime, entry.moments.identity, now);
        let new = entry.place;
        if new != old {
            let queue = self.queue(class);
            if let Some(id) = queue.take(old, bytes) {
                queue.push(new, id, bytes);
            }
        }
        Touched::Applied
    }

    pub(super) fn destroy(&mut self, now: Duration, id: &SessionId, epoch: Option<Epoch>) -> Destroyed {
        let now = self.begin_write(now);
        let Some(entry) = self.live(id, now).filter(|entry| !entry.is_tombstone()) else {
            return Destroyed::Missing;
        };
        if epoch.is_some_and(|epoch| !entry.accepts(epoch)) {
            return Destroyed::Superseded;
        }
        let moments = Moments { verifier: now, ..entry.moments };
        let place = Place { end: now.saturating_add(TOMBSTONE_LIFETIME), ..entry.place };
        let tombstone = Entry::new(entry.row(now).tombstone(), moments, place);
        let old = (entry.class(), entry.bytes(id), entry.place);
        // A tombstone holds no values, so it never needs more room than the row it replaces.
        if self.replace(now, id, old, tombstone).is_err() {
            self.remove(id);
        }
        Destroyed::Destroyed
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
        let is_live = |id: &&SessionId| self.entries.get(*id).is_some_and(|entry| entry.is_live(now));
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

    fn live(&self, id: &SessionId, now: Duration) -> Option<&Entry> {
        self.entries.get(id).map(|entry| &**entry).filter(|entry| entry.is_live(now))
    }

    fn queue(&mut self, class: Class) -> &mut Queue {
        match class {
            Class::SignedIn => &mut self.signed_in,
            Class::Anonymous => &mut self.anonymous,
            Class::Tombstone => &mut self.tombstones,
        }
    }

    fn remove(&mut self, id: &SessionId) -> bool {
        let Some(entry) = self.entries.remove(id) else { return false };
        self.identities.change(id, entry.identity(), None);
        self.queue(entry.class()).take(entry.place, entry.bytes(id)).is_some()
    }

    fn remove_first(&mut self, class: Class) -> bool {
        let Some(id) = self.queue(class).first().cloned() else { return false };
        self.remove(&id)
    }

    fn sweep(&mut self, now: Duration, most: usize) {
        for _ in 0..most {
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

    /// Puts a new version of a row in the place of the old one, or writes nothing. Of the old one it takes class, bytes and
    /// place, so that it need not be looked up again.
    fn replace(
        &mut self,
        now: Duration,
        id: &SessionId,
        (was, had, stood): (Class, usize, Place),
        new: Entry,
    ) -> Result<(), StoreError> {
        let (class, bytes) = (new.class(), new.bytes(id));
        // Out of its queue the row is neither counted nor evicted while room is made for its new version.
        let Some(key) = self.queue(was).take(stood, had) else { return Err(StoreError::new(StoreErrorKind::Corrupt)) };
        let fits = class == was && bytes <= had;
        let signs_out = was == Class::SignedIn && class == Class::Anonymous;
        if !fits && !self.make_room(now, class, bytes, !signs_out) {
            self.queue(was).push(stood, key, had);
            return Err(StoreError::new(StoreErrorKind::Full));
        }
        self.queue(class).push(new.place, key, bytes);
        if let Some(entry) = self.entries.get_mut(id) {
            self.identities.change(id, entry.identity(), new.identity());
            **entry = new;
        }
        Ok(())
    }

    /// Removes expired rows, then tombstones, then anonymous sessions, each by the nearest end, until a row fits in. Where
    /// that would not help, nothing is evicted and the answer is `false` (R14).
    ///
    /// Without `within_share` an anonymous row may exceed the anonymous share once no other is left: a sign-out must not
    /// fail because the session was large.
    fn make_room(&mut self, now: Duration, class: Class, bytes: usize, within_share: bool) -> bool {
        let anonymous = class == Class::Anonymous;
        if anonymous && within_share && !self.share_could_hold(bytes) {
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

    /// Whether a row fits once all evictable ones are gone.
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
        let rows = self.signed_in.len() + self.anonymous.len() + self.tombstones.len();
        let held = self.signed_in.bytes() + self.anonymous.bytes() + self.tombstones.bytes();
        rows >= self.limits.sessions || held.saturating_add(bytes) > self.limits.bytes
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

/// Whether joining a patch with these fields may call merge functions, which are the user's code.
fn runs_merge_functions(patch: &Patch, theirs: &Fields) -> bool {
    !theirs.same_block(&patch.base)
        && patch.changes().any(|change| change.conditional && theirs.read(change.field) != change.base)
}

#[cfg(test)]
impl Shard {
    /// Counts everything anew and compares.
    pub(super) fn check(&self) {
        for (class, queue) in [
            (Class::SignedIn, &self.signed_in),
            (Class::Anonymous, &self.anonymous),
            (Class::Tombstone, &self.tombstones),
        ] {
            let of_class = || self.entries.iter().filter(|(_, entry)| entry.class() == class);
            assert_eq!(queue.len(), of_class().count());
            assert_eq!(queue.bytes(), of_class().map(|(id, entry)| entry.bytes(id)).sum::<usize>());
            assert!(of_class().all(|(id, entry)| queue.at(entry.place) == Some(id)));
        }
        let signed_in = self.entries.iter().filter_map(|(id, entry)| Some((entry.identity()?, id)));
        let indexed: HashMap<_, _> = self.identities.iter().map(|(identity, id)| (id, identity)).collect();
        assert_eq!(self.identities.iter().count(), self.signed_in.len());
        assert!(signed_in.into_iter().all(|(identity, id)| indexed.get(id) == Some(&identity)));
        assert!(self.entries.len() <= self.limits.sessions);
        assert!(self.signed_in.bytes() + self.anonymous.bytes() + self.tombstones.bytes() <= self.limits.bytes);
    }
}
