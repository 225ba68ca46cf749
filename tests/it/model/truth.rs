//! What must hold for every act of the store, in any order of requests.

use std::collections::{HashMap, HashSet};

use http_session::SessionId;
use http_session::record::{Clear, Epoch, IdentityChange, OnConflict, Patch, Record, VerifierChange, VerifierHash};
use http_session::store::{Destroyed, Inserted, Touched, Updated};

use super::behind::moved;
use super::course::{Course, Seen};
use super::handler::mark_of;
use super::store::{Act, Answer};

/// A unique number that a handler writes into a field: who wrote it, and what happened to it.
#[derive(Clone, Debug)]
pub struct Mark {
    pub visit: usize,
    /// The user of the session that it was written into.
    pub user: Option<u8>,
    /// Part of an awaited save, so it may be stored whatever happens to the response.
    pub offered: bool,
    /// Taken back before a save, so it must never be stored.
    pub dropped: bool,
}

#[derive(Default)]
pub struct Truth {
    /// Steps so far.
    pub now: u64,
    pub violations: Vec<String>,
    pub courses: Vec<Course>,
    pub marks: Vec<Mark>,
    pub taken: HashSet<u32>,
    /// The record that holds each mark.
    pub written: HashSet<(usize, u32)>,
    places: HashMap<SessionId, usize>,
    records: Vec<Known>,
}

/// The history of a record.
#[derive(Default)]
pub struct Known {
    pub record: Option<Record>,
    is_dead: bool,
    identities: HashMap<u64, Option<u8>>,
    /// The hash of each verifier, and the last step at which it was valid.
    verifiers: Vec<(VerifierHash, u64)>,
}

impl Truth {
    pub fn fail(&mut self, visit: usize, text: &str) {
        self.violations.push(format!("visit {visit}: {text}"));
    }

    pub fn check(&mut self, visit: usize, holds: bool, text: &str) {
        if !holds {
            self.fail(visit, text);
        }
    }

    pub fn course(&mut self, visit: usize) -> &mut Course {
        &mut self.courses[visit]
    }

    pub fn mark(&mut self, mark: u32) -> &mut Mark {
        &mut self.marks[mark as usize - 1]
    }

    /// The number of a record in this history.
    pub fn place(&mut self, id: &SessionId) -> usize {
        if let Some(place) = self.places.get(id) {
            return *place;
        }
        self.places.insert(id.clone(), self.records.len());
        self.records.push(Known::default());
        self.records.len() - 1
    }

    pub fn known(&mut self, id: &SessionId) -> &Known {
        let place = self.place(id);
        &self.records[place]
    }

    pub fn live_records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter_map(|known| known.record.as_ref())
    }

    /// Whether this verifier was valid at or after a step.
    pub fn was_valid(&mut self, id: &SessionId, hash: VerifierHash, since: u64) -> bool {
        self.known(id).verifiers.iter().any(|(known, until)| *known == hash && *until >= since)
    }

    /// Returns the user who was signed in during an epoch of a record.
    pub fn identity_in(&mut self, id: &SessionId, epoch: Epoch) -> Option<u8> {
        self.known(id).identities.get(&epoch.0).copied().flatten()
    }

    pub fn acted(&mut self, visit: usize, act: &Act, before: Option<&Record>, answer: &Answer, after: Option<Record>) {
        let place = self.place(act.id());
        let before = before.filter(|record| !record.is_tombstone());
        let tombstone = after.clone().filter(Record::is_tombstone);
        let after = after.filter(|record| !record.is_tombstone());
        self.follow(visit, place, before, after.as_ref());
        match (act, answer) {
            (Act::Load(id), Answer::Record(record)) => self.loaded(visit, id, record.as_deref().or(tombstone.as_ref())),
            (Act::Insert(id, record, _), Answer::Inserted(Inserted::Inserted)) => {
                self.check(visit, before.is_none(), "R8: an insert overwrote a record");
                self.inserted(visit, id, record);
            }
            (Act::Update(id, patch, _), Answer::Updated(Updated::Applied { renewed })) => {
                let (Some(before), Some(after)) = (before, &after) else {
                    return self.fail(visit, "R8: an update was applied although there is no record");
                };
                self.verified(visit, patch, *renewed, before, after);
                self.updated(visit, id, patch, before, after);
            }
            (Act::Update(_, patch, _), Answer::Updated(Updated::Conflict(shown))) => {
                let same = before.is_some_and(|record| record.fields == shown.fields && record.epoch == shown.epoch);
                self.check(visit, same, "R10: a conflict returned a record that is not stored");
                let is_one = before.is_some_and(|record| moved(record, patch));
                self.check(visit, is_one, "R10: a conflict although nothing has changed since the load");
            }
            (Act::Touch(_, epoch, _), Answer::Touched(Touched::Applied)) => {
                self.check(visit, before.is_some_and(|record| record.epoch == *epoch), "R4: a touch of another epoch");
                self.committed(visit);
            }
            (Act::Destroy(id, _), Answer::Destroyed(Destroyed::Destroyed)) => {
                let is_empty = tombstone.is_some_and(|record| record.fields.is_empty() && record.identity.is_none());
                self.check(visit, is_empty, "R8: the tombstone is missing or not empty");
                self.destroyed(visit, id, before);
            }
            (Act::Update(..), Answer::Updated(Updated::Missing | Updated::Superseded))
            | (Act::Touch(..), Answer::Touched(Touched::Missing | Touched::Superseded)) => {
                self.course(visit).refused = true;
            }
            _ => {}
        }
        if !matches!((act, answer), (Act::Update(..), Answer::Updated(Updated::Applied { .. })))
            && let (Some(before), Some(after)) = (before, &after)
        {
            let same = before.fields == after.fields
                && (before.identity == after.identity && before.verifier == after.verifier)
                && before.epoch == after.epoch;
            self.check(visit, same, "R9: a record changed without an update");
        }
    }

    /// Checks the history of a record across an act.
    fn follow(&mut self, visit: usize, place: usize, before: Option<&Record>, after: Option<&Record>) {
        let now = self.now;
        let known = &mut self.records[place];
        let came_back = known.is_dead && after.is_some();
        known.is_dead |= before.is_some() && after.is_none();
        known.record = after.cloned();
        let mut moved = false;
        if let Some(record) = after {
            let user = user(record);
            moved = *known.identities.entry(record.epoch.0).or_insert(user) != user;
            for hash in [Some(record.verifier), record.previous].into_iter().flatten() {
                match known.verifiers.iter_mut().find(|(known, _)| *known == hash) {
                    Some((_, until)) => *until = now,
                    None => known.verifiers.push((hash, now)),
                }
            }
        }
        self.check(visit, !came_back, "R8: a destroyed session came back");
        self.check(visit, !moved, "R4: the identity changed within an epoch");
        if let (Some(before), Some(after)) = (before, after) {
            let raised = after.epoch.0.wrapping_sub(before.epoch.0);
            self.check(visit, raised <= 1, "R4: the epoch went back, or rose by more than one");
            let fits = raised == 1 || before.verifier == after.verifier || after.previous == Some(before.verifier);
            self.check(visit, fits, "R4: the verifier changed within an epoch");
            self.check(visit, raised == 0 || after.previous.is_none(), "R4: an old verifier outlived its epoch");
        }
        if let Some(record) = after {
            self.consistent(visit, record);
        }
    }

    /// Checks a record by itself: it has no data of another user, and fields that change together agree.
    fn consistent(&mut self, visit: usize, record: &Record) {
        let user = user(record);
        let (log, cart, shelf) = (numbers(record, "log"), numbers(record, "cart"), shelf(record));
        for mark in log.iter().chain(&cart).chain(&shelf).chain(&number(record, "note")) {
            let owner = self.mark(*mark).user;
            self.check(
                visit,
                owner.is_none() || owner == user,
                "R4, R5: data of one user is in the session of another",
            );
        }
        let unique: HashSet<_> = log.iter().chain(&cart).collect();
        self.check(visit, unique.len() == log.len() + cart.len(), "R9: an entry was stored twice");
        let hits = number(record, "hits").unwrap_or(0);
        self.check(visit, hits as usize == log.len(), "R9: the sum is not the number of additions");
        let high = number(record, "high");
        self.check(
            visit,
            shelf.iter().max() == high.as_ref(),
            "R9: half of a change was stored, or a `max` or `keys` field was merged wrongly",
        );
    }

    fn loaded(&mut self, visit: usize, id: &SessionId, record: Option<&Record>) {
        const WINDOW: u64 = 60;
        let course = &mut self.courses[visit];
        let Some(token) = course.token.as_ref().filter(|token| token.id == *id && course.seen == Seen::Unasked) else {
            return;
        };
        course.seen = match record {
            None => Seen::Nothing,
            Some(record) if record.verifier == token.hash || record.previous == Some(token.hash) => {
                Seen::Found(Box::new(record.clone()))
            }
            Some(record) if record.ages.verifier.as_secs() <= WINDOW => Seen::Late,
            Some(_) => Seen::Nothing,
        };
    }

    fn committed(&mut self, visit: usize) {
        let course = self.course(visit);
        course.commits += usize::from(course.is_handled);
        // A save that was dropped by its handler, or whose answer was lost (R10), may act as late as the commit.
        let fits = course.commits <= 1 + course.given_up || course.faulted;
        self.check(visit, fits, "R9: more than one commit");
    }

    fn inserted(&mut self, visit: usize, id: &SessionId, record: &Record) {
        let course = &mut self.courses[visit];
        course.inserted.push(id.clone());
        let (asked, users) = (course.users.clone(), user(record));
        self.check(visit, users.is_none_or(|user| asked.contains(&user)), "R5: signed in although nobody asked for it");
        let place = self.place(id);
        for mark in numbers(record, "log").into_iter().chain(numbers(record, "cart")) {
            self.stored(visit, place, mark);
        }
    }

    /// Checks that the verifier follows from the patch.
    fn verified(&mut self, visit: usize, patch: &Patch, renewed: bool, before: &Record, after: &Record) {
        let (verifier, is_renewed) = match patch.verifier {
            VerifierChange::Unchanged => (before.verifier, true),
            VerifierChange::Rotate(new) => (new, true),
            VerifierChange::Renew { current, new } if before.verifier == current => (new, true),
            VerifierChange::Renew { .. } => (before.verifier, false),
        };
        self.check(visit, after.verifier == verifier, "R4, R6: the verifier is not the patch's");
        self.check(visit, renewed == is_renewed, "R6: the answer to a renewal differs from its effect");
        let rotated = matches!(patch.verifier, VerifierChange::Rotate(_));
        let epoch = if rotated { before.epoch.next() } else { before.epoch };
        self.check(
            visit,
            after.epoch == epoch,
            "R4: the epoch changed without a rotation, or a rotation kept the epoch",
        );
    }

    fn updated(&mut self, visit: usize, id: &SessionId, patch: &Patch, before: &Record, after: &Record) {
        if before.fields != after.fields || before.identity != after.identity || before.epoch != after.epoch {
            self.committed(visit);
        }
        self.check(visit, patch.epoch == before.epoch, "R4: a write of another epoch");
        let course = &self.courses[visit];
        match &patch.identity {
            IdentityChange::Set(_) => {
                let asked = user(after).is_some_and(|user| course.users.contains(&user));
                self.check(visit, asked, "R5: signed in although nobody asked for it");
            }
            IdentityChange::Removed => {
                let asked = course.leaves || course.assigns_nobody;
                self.check(visit, asked && user(after).is_none(), "R5: signed out although nobody asked for it");
            }
            IdentityChange::Affirmed | IdentityChange::Unchanged => {
                self.check(visit, before.identity == after.identity, "R5: the identity is not the patch's");
            }
        }
        let changed = before.identity != after.identity;
        self.check(visit, !changed || after.epoch > before.epoch, "R5: the identity changed without a new verifier");
        // A sign-in and a sign-out within one request are a change of identity too.
        let asked = changed || !self.courses[visit].users.is_empty();
        let cleared = patch.clear == Clear::Nothing || (asked && after.epoch > before.epoch);
        self.check(visit, cleared, "R5: fields were cleared without a change of identity");
        if before.verifier != after.verifier {
            self.courses[visit].rotated = Some((id.clone(), after.verifier));
        }
        let place = self.place(id);
        for name in ["log", "cart"] {
            let (old, new) = (numbers(before, name), numbers(after, name));
            if patch.clear == Clear::Nothing {
                self.check(visit, new.starts_with(&old), "R9: an acknowledged entry is lost");
            }
            for mark in new.into_iter().filter(|mark| !old.contains(mark)) {
                self.stored(visit, place, mark);
            }
        }
        let passed = patch.on_conflict == OnConflict::Merge || !moved(before, patch);
        self.check(visit, passed, "R13: two takers passed a gate");
        let refused = patch.changes().any(|change| change.field.name == "choice" && change.conditional);
        let base = patch.base.find("choice");
        self.check(visit, !refused || before.fields.find("choice") == base, "R9: `reject` merged two changes");
        for field in before.fields.iter() {
            let written = patch.written_fields().iter().any(|touched| touched.name == field.name);
            let left = after.fields.find(field.name);
            if patch.clear.keeps(mark_of(field.name)) {
                self.check(
                    visit,
                    written || left == Some(field.value),
                    "R17: a field changed that is not in the patch",
                );
            } else {
                self.check(visit, written || left.is_none(), "R5: a field outlived a change of identity");
            }
        }
    }

    /// Notes and checks that a mark is in the store.
    fn stored(&mut self, visit: usize, place: usize, mark: u32) {
        let known = self.mark(mark).clone();
        // R5, R11: a sign-in takes a field that the visitor changed along as a whole.
        let comes_along = known.user.is_none() && !self.courses[visit].users.is_empty();
        self.check(visit, known.visit == visit || comes_along, "R9: a request stored another request's change");
        self.check(visit, !known.dropped || known.offered, "R11: a change was stored after it was taken back");
        let first = self.written.insert((place, mark));
        self.check(visit, first, "R10: a change was stored twice");
    }

    fn destroyed(&mut self, visit: usize, id: &SessionId, before: Option<&Record>) {
        let Some(before) = before else { return };
        let course = &self.courses[visit];
        let own = course.inserted.contains(id);
        let asked = course.leaves || course.assigns_nobody || course.begins;
        let token = course.token.clone();
        self.check(visit, own || asked, "R8: destroyed although nobody asked for it");
        if let (false, Some(token), Some(user)) = (own, token, user(before)) {
            let claimed = self.identity_in(id, token.epoch);
            self.check(visit, claimed == Some(user), "R6: ended the session of another identity");
        }
    }
}

pub fn user(record: &Record) -> Option<u8> {
    record.identity.as_ref().and_then(|raw| serde_json::from_slice(raw.as_bytes()).expect("a user"))
}

pub fn numbers(record: &Record, name: &str) -> Vec<u32> {
    record.fields.find(name).map_or_else(Vec::new, |raw| serde_json::from_slice(raw).expect("numbers"))
}

pub fn number(record: &Record, name: &str) -> Option<u32> {
    record.fields.find(name).and_then(|raw| serde_json::from_slice(raw).expect("a number"))
}

fn shelf(record: &Record) -> Vec<u32> {
    let shelf: HashMap<u32, u32> =
        record.fields.find("shelf").map_or_else(HashMap::new, |raw| serde_json::from_slice(raw).expect("a map"));
    shelf.into_keys().collect()
}
