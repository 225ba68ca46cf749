//! A small honest store, with a switch for each mistake that a store can make.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_session_store::SessionId;
use http_session_store::clock::{Clock, ManualClock, SystemClock};
use http_session_store::error::{StoreError, StoreErrorKind};
use http_session_store::record::{
    Epoch, Extent, Fields, Keep, Lifetime, OnConflict, Patch, RawJson, Record, TOMBSTONE_LIFETIME, VerifierChange,
    VerifierHash,
};
use http_session_store::{
    Cursor, Destroyed, EnumerateSessions, Generation, IndexSessions, Inserted, LINK_GRACE, Page, SessionStore, Touched,
    Updated,
};

mod flaw;

pub use flaw::Flaw;

#[derive(Clone)]
struct Slot {
    record: Record,
    created: Duration,
    identity: Duration,
    verifier: Duration,
    touched: Duration,
    end: Duration,
}

#[derive(Clone)]
pub struct Flawed {
    flaw: Flaw,
    pub clock: ManualClock,
    /// The clock in use: the one above, or a clock that runs by itself.
    time: Arc<dyn Clock>,
    room: usize,
    slots: Arc<Mutex<HashMap<SessionId, Slot>>>,
    index: Arc<Mutex<HashMap<Vec<u8>, Links>>>,
}

/// The generation of an identity, and for each id since when and until when it is linked.
#[derive(Default)]
struct Links {
    generation: Generation,
    ids: BTreeMap<SessionId, (Duration, Duration)>,
}

impl Flawed {
    pub fn new(flaw: Flaw) -> Self {
        let clock = ManualClock::new();
        let time = Arc::new(clock.clone());
        Self { flaw, clock, time, room: usize::MAX, slots: Arc::default(), index: Arc::default() }
    }

    /// With a clock that runs by itself.
    pub fn running(flaw: Flaw) -> Self {
        Self { time: Arc::new(SystemClock::new()), ..Self::new(flaw) }
    }

    /// Another store with the same flaw, with room for few sessions.
    pub fn small(&self) -> Self {
        Self { room: 8, slots: Arc::default(), ..self.clone() }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn now(&self) -> Duration {
        self.time.elapsed()
    }

    fn key(&self, id: &SessionId) -> SessionId {
        if self.has(Flaw::IdsIgnoreCase) {
            return SessionId::try_from(id.as_str().to_lowercase().as_str()).unwrap();
        }
        id.clone()
    }

    /// The slot of an id, if it is live.
    fn live(&self, slots: &HashMap<SessionId, Slot>, id: &SessionId) -> Option<Slot> {
        slots.get(&self.key(id)).filter(|slot| self.has(Flaw::NeverExpires) || slot.end > self.now()).cloned()
    }

    fn put(&self, id: &SessionId, slot: Slot) {
        self.slots.lock().unwrap().insert(self.key(id), slot);
    }

    /// The record as the storage keeps it.
    fn kept(&self, mut record: Record) -> Record {
        let fields = |keep: &dyn Fn(Keep) -> Keep, value: &dyn Fn(&[u8]) -> Vec<u8>| -> Fields {
            let fields: Vec<_> = record.fields.iter().map(|it| (it.name, keep(it.keep), value(it.value))).collect();
            fields.iter().map(|(name, keep, value)| (*name, *keep, value.as_slice())).collect()
        };
        let same = |keep| keep;
        match self.flaw {
            Flaw::MarksLost => record.fields = fields(&|_| Keep::No, &<[u8]>::to_vec),
            Flaw::ValuesNormalised => record.fields = fields(&same, &normal),
            Flaw::EmptyIsAbsent => {
                record.fields = record.fields.iter().filter(|field| !field.value.is_empty()).collect();
            }
            Flaw::HashCutAtZero => {
                let end = record.verifier.0.iter().position(|byte| *byte == 0).unwrap_or(32);
                record.verifier.0[end..].fill(0);
            }
            _ => {}
        }
        record
    }

    fn shown(&self, slot: &Slot) -> Record {
        let now = self.now();
        let age = |since: Duration| if self.has(Flaw::AgesStandStill) { Duration::ZERO } else { now - since.min(now) };
        let mut record = slot.record.clone();
        record.ages.created = age(slot.created);
        record.ages.identity = age(slot.identity);
        record.ages.verifier = age(slot.verifier);
        record.ages.touched = age(slot.touched);
        record.expires_in = slot.end.saturating_sub(now);
        record
    }

    fn extend(&self, slot: &mut Slot, lifetime: Lifetime) {
        let (now, mut lifetime) = (self.now(), lifetime);
        if self.has(Flaw::SetNeverShortens) {
            lifetime.extent = Extent::Extend;
        }
        if self.has(Flaw::AbsoluteEndIgnored) {
            lifetime.absolute = Duration::MAX;
        }
        let left = lifetime.time_left(slot.end.saturating_sub(now), now.saturating_sub(slot.identity));
        slot.end = now.saturating_add(left);
        if !lifetime.idle.is_zero() || self.has(Flaw::UnchangedIsActivity) {
            slot.touched = now;
        }
    }

    /// Applies a patch to a slot: the heart of an update.
    fn apply(&self, slot: &mut Slot, patch: &Patch, lifetime: Lifetime) -> Updated {
        let epoch_fits = slot.record.epoch == patch.epoch || self.has(Flaw::UpdateIgnoresEpoch);
        if (slot.record.is_tombstone() || !epoch_fits)
            && !(slot.record.is_tombstone() && self.has(Flaw::UpdateResurrects))
        {
            return Updated::Superseded;
        }
        let before = slot.record.clone();
        let patch = &self.misread(patch, &before);
        let mut record = before.clone();
        let Ok(renewed) = patch.apply_to(&mut record) else { return self.conflict(slot, patch) };
        self.distort(&mut record, &before, patch);
        slot.record = self.kept(record);
        let now = self.now();
        let rotated = matches!(patch.verifier, VerifierChange::Rotate(_)) && self.has(Flaw::RotationRestartsAbsolute);
        if rotated || (patch.resets_identity_age() && !self.has(Flaw::SignInKeepsIdentityAge)) {
            slot.identity = now;
        }
        if renewed && patch.verifier != VerifierChange::Unchanged {
            slot.verifier = now;
        }
        self.extend(slot, lifetime);
        Updated::Applied { renewed }
    }

    fn conflict(&self, slot: &mut Slot, patch: &Patch) -> Updated {
        let mut shown = self.shown(slot);
        if self.has(Flaw::StaleConflict) {
            shown.fields = patch.base.clone();
        }
        if self.has(Flaw::WritesBeforeConflict) {
            let mut early = Patch::unchanged(&slot.record);
            for change in patch.changes().filter(|change| !change.conditional) {
                early.set(change.field, change.value);
            }
            slot.record.fields = early.result;
        }
        Updated::Conflict(Box::new(shown))
    }

    /// The patch as a store with this flaw understands it.
    fn misread(&self, patch: &Patch, record: &Record) -> Patch {
        let mut patch = patch.clone();
        match self.flaw {
            Flaw::LastWriteWins => {
                patch.on_conflict = OnConflict::Merge;
                patch.base = record.fields.clone();
            }
            Flaw::GateIgnored => patch.on_conflict = OnConflict::Merge,
            Flaw::LimitIgnored => patch.limit = 0,
            Flaw::MergesByItself => {
                if let Ok(merged) = patch.rebase(&record.fields) {
                    patch = merged;
                }
            }
            Flaw::PreviousRenews => {
                if let VerifierChange::Renew { current, new } = patch.verifier
                    && Some(current) == record.previous
                {
                    patch.verifier = VerifierChange::Renew { current: record.verifier, new };
                }
            }
            _ => {}
        }
        patch
    }

    /// What a store with this flaw does to a record after a patch.
    fn distort(&self, record: &mut Record, before: &Record, patch: &Patch) {
        let renews = matches!(patch.verifier, VerifierChange::Renew { .. });
        match self.flaw {
            Flaw::RotationKeepsPrevious if !renews => record.previous = before.previous,
            Flaw::RenewalRaisesEpoch if renews => record.epoch = record.epoch.next(),
            Flaw::LostRenewalLosesPatch if renews && record.verifier == before.verifier => *record = before.clone(),
            Flaw::IdentityEpochStays => record.identity_epoch = before.identity_epoch,
            Flaw::UnknownFieldsLost => record.fields = patch.result.clone(),
            Flaw::CookieAttributesLost => record.cookie = None,
            Flaw::OlderNamesStay => {
                let older = before.fields.iter().filter(|field| ["heading", "caption"].contains(&field.name));
                record.fields = older.chain(record.fields.iter()).collect();
            }
            _ => {}
        }
    }
}

/// Bytes as they come back from a storage that parses JSON.
fn normal(value: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<serde_json::Value>(value) {
        Ok(json) => json.to_string().into_bytes(),
        Err(_) => value.to_vec(),
    }
}

/// Time for other calls, between the two halves of a write that should be one.
async fn gap() {
    std::thread::sleep(Duration::from_micros(200));
    tokio::task::yield_now().await;
}

impl SessionStore for Flawed {
    fn is_instant(&self) -> bool {
        self.has(Flaw::OnlySeemsInstant)
    }

    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        if self.has(Flaw::OnlySeemsInstant) {
            gap().await;
        }
        let mut slots = self.slots.lock().unwrap();
        let Some(mut slot) = self.live(&slots, id) else { return Ok(None) };
        if self.has(Flaw::LoadExtends) {
            let left = slot.end - slot.touched;
            (slot.touched, slot.end) = (self.now(), self.now() + left);
            slots.insert(self.key(id), slot.clone());
        }
        Ok(Some(self.shown(&slot)))
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let now = self.now();
        let (found, full) = {
            let slots = self.slots.lock().unwrap();
            let signed_in = slots.values().filter(|slot| slot.record.identity.is_some()).count();
            (self.live(&slots, id), signed_in >= self.room || (slots.len() >= self.room && record.identity.is_none()))
        };
        if let Some(found) = found {
            let overwrites = self.has(Flaw::InsertOverwrites) && !found.record.is_tombstone();
            let buries = self.has(Flaw::InsertOverwritesTombstone) && found.record.is_tombstone();
            if !overwrites && !buries {
                return Ok(Inserted::Taken);
            }
        }
        let mut record = self.kept(record.clone());
        record.revision = 0;
        let born = |age: Duration| if self.has(Flaw::InsertKeepsGivenAges) { now.saturating_sub(age) } else { now };
        let mut slot = Slot {
            created: born(record.ages.created),
            identity: born(record.ages.identity),
            verifier: born(record.ages.verifier),
            touched: born(record.ages.touched),
            end: now,
            record,
        };
        self.extend(&mut slot, lifetime);
        if full && !self.has(Flaw::FullWritesAllTheSame) {
            return Err(StoreError::new(StoreErrorKind::Full));
        }
        if self.has(Flaw::RacingInsert) {
            gap().await;
            self.put(id, slot);
            return Ok(Inserted::Inserted);
        }
        let mut slots = self.slots.lock().unwrap();
        let raced = self.live(&slots, id).is_some_and(|slot| !slot.record.is_tombstone());
        if raced && !self.has(Flaw::InsertOverwrites) {
            return Ok(Inserted::Taken);
        }
        slots.insert(self.key(id), slot);
        if full { Err(StoreError::new(StoreErrorKind::Full)) } else { Ok(Inserted::Inserted) }
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        assert!(!self.has(Flaw::Panics), "the store panics as it was told to");
        let found = self.live(&self.slots.lock().unwrap(), id);
        let Some(mut slot) = found else {
            if self.has(Flaw::UpdateCreates) {
                let mut record = Record::new(VerifierHash([7; 32]));
                record.fields = patch.result.clone();
                let _ = self.insert(id, &record, lifetime).await?;
            }
            return Ok(Updated::Missing);
        };
        match self.flaw {
            Flaw::LostUpdate => {
                gap().await;
                let answer = self.apply(&mut slot, patch, lifetime);
                self.put(id, slot);
                Ok(answer)
            }
            Flaw::TornWrite => {
                let answer = self.apply(&mut slot, patch, lifetime);
                let mut half = slot.clone();
                (half.record.epoch, half.record.identity) = (patch.epoch, None);
                self.put(id, half);
                gap().await;
                self.put(id, slot);
                Ok(answer)
            }
            _ => {
                let mut slots = self.slots.lock().unwrap();
                let Some(slot) = self.live(&slots, id).and_then(|_| slots.get_mut(&self.key(id))) else {
                    return Ok(Updated::Missing);
                };
                Ok(self.apply(slot, patch, lifetime))
            }
        }
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        let found = self.live(&self.slots.lock().unwrap(), id);
        let Some(stale) = found else { return Ok(Touched::Missing) };
        if self.has(Flaw::TouchWritesDataBack) {
            gap().await;
        }
        let mut slots = self.slots.lock().unwrap();
        let Some(mut slot) = self.live(&slots, id) else { return Ok(Touched::Missing) };
        if slot.record.is_tombstone() || (slot.record.epoch != epoch && !self.has(Flaw::TouchIgnoresEpoch)) {
            return Ok(Touched::Superseded);
        }
        if self.has(Flaw::TouchWritesDataBack) {
            slot.record = stale.record;
        }
        if self.has(Flaw::TouchShortens) && !lifetime.idle.is_zero() {
            slot.end = self.now();
        }
        self.extend(&mut slot, lifetime);
        slots.insert(self.key(id), slot);
        Ok(Touched::Applied)
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let mut slots = self.slots.lock().unwrap();
        let Some(mut slot) = self.live(&slots, id).filter(|slot| !slot.record.is_tombstone()) else {
            return Ok(Destroyed::Missing);
        };
        if epoch.is_some_and(|epoch| epoch != slot.record.epoch) && !self.has(Flaw::DestroyIgnoresEpoch) {
            return Ok(Destroyed::Superseded);
        }
        if self.has(Flaw::NoTombstone) {
            slots.remove(&self.key(id));
            return Ok(Destroyed::Destroyed);
        }
        let fields = slot.record.fields.clone();
        slot.record = slot.record.tombstone();
        if self.has(Flaw::TombstoneKeepsValues) {
            slot.record.fields = fields;
        }
        if !self.has(Flaw::TombstoneAsLongAsTheRecord) {
            slot.end = self.now() + TOMBSTONE_LIFETIME;
        }
        slot.verifier = self.now();
        slots.insert(self.key(id), slot);
        Ok(Destroyed::Destroyed)
    }
}

impl EnumerateSessions for Flawed {
    async fn len(&self) -> Result<usize, StoreError> {
        Ok(self.ids(None, usize::MAX).await?.ids.len())
    }

    async fn ids(&self, from: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let after = from.map(Cursor::id).transpose()?;
        let slots = self.slots.lock().unwrap();
        let named = |slot: &Slot| {
            (slot.end > self.now() || self.has(Flaw::NamesExpired))
                && (!slot.record.is_tombstone() || self.has(Flaw::NamesDestroyed))
        };
        let follows = |id: &SessionId| after.as_ref().is_none_or(|after| id > after);
        let mut ids: Vec<_> =
            slots.iter().filter(|(id, slot)| named(slot) && follows(id)).map(|(id, _)| id.clone()).collect();
        ids.sort();
        if self.has(Flaw::PagesLeaveOut) && after.is_some() && !ids.is_empty() {
            ids.remove(0);
        }
        ids.truncate(limit);
        Ok(Page::in_order(ids, limit))
    }

    async fn clear(&self) -> Result<(), StoreError> {
        for id in self.ids(None, usize::MAX).await?.ids {
            let _ = self.destroy(&id, None).await?;
        }
        Ok(())
    }
}

impl Flawed {
    fn links<T>(&self, identity: &RawJson, ask: impl FnOnce(&mut Links) -> T) -> T {
        let bytes = identity.as_bytes();
        let key = if self.has(Flaw::IdentitiesNormalised) { normal(bytes) } else { bytes.to_vec() };
        ask(self.index.lock().unwrap().entry(key).or_default())
    }
}

/// A list beside the records.
impl IndexSessions for Flawed {
    async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        Ok(self.links(identity, |links| links.generation))
    }

    async fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Result<(), StoreError> {
        if !self.has(Flaw::GenerationLost) {
            self.links(identity, |links| links.generation = generation);
        }
        Ok(())
    }

    async fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        let now = self.now();
        Ok(self.links(identity, |links| {
            let of_page = |(id, (_, until)): &(&SessionId, &(Duration, Duration))| {
                *until > now && after.is_none_or(|after| *id > after)
            };
            links.ids.iter().filter(of_page).map(|(id, _)| id.clone()).take(limit).collect()
        }))
    }

    async fn link(&self, identity: &RawJson, id: &SessionId, lifetime: Duration) -> Result<Generation, StoreError> {
        let now = self.now();
        Ok(self.links(identity, |links| {
            if !self.has(Flaw::LinksLost) {
                let before = links.ids.get(id).map_or(Duration::ZERO, |(_, until)| *until);
                let until = now + lifetime.max(LINK_GRACE);
                let until = if self.has(Flaw::LinkShortens) { until } else { until.max(before) };
                links.ids.insert(id.clone(), (now, until));
            }
            if self.has(Flaw::LinkAnswersNoGeneration) { Generation::NONE } else { links.generation }
        }))
    }

    async fn unlink(&self, identity: &RawJson, id: &SessionId) -> Result<(), StoreError> {
        let now = self.now();
        self.links(identity, |links| {
            let under_way = |(since, _): &(Duration, Duration)| now < *since + LINK_GRACE;
            if self.has(Flaw::UnlinksAtOnce) || !links.ids.get(id).is_some_and(under_way) {
                links.ids.remove(id);
            }
        });
        Ok(())
    }
}

impl std::fmt::Debug for Flawed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flawed({:?})", self.flaw)
    }
}
