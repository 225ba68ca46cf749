//! Sessions in this process.

use std::collections::BinaryHeap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::{Arc, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use self::identities::Generations;
use self::shard::{Limits, Shard};
use crate::answer::{Destroyed, Inserted, Touched, Updated};
use crate::clock::{Clock, SystemClock};
use crate::enumerate::EnumerateSessions;
use crate::error::StoreError;
use crate::id::SessionId;
use crate::index::{Generation, IndexSessions};
use crate::page::{Cursor, Page};
use crate::record::{Epoch, Lifetime, Patch, RawJson, Record};
use crate::session_store::{ExpressFormat, SessionStore};
use crate::sync::{Mutex, MutexGuard};

mod identities;
mod queue;
mod queued;
mod shard;
#[cfg(test)]
mod tests;

const DEFAULT_SESSIONS: usize = 100_000;
const DEFAULT_BYTES: usize = 256 << 20;
const DEFAULT_ANONYMOUS_PERCENT: u8 = 75;

// A smaller shard would fill up long before its neighbours, since ids do not spread evenly.
const SESSIONS_PER_SHARD: usize = 4096;
const BYTES_PER_SHARD: usize = 4 << 20;

/// Sessions in the memory of this process: for one process, for tests, and as the reference of the store contract.
///
/// They are gone when the process ends, and another process does not see them. Nothing runs in the background: an expired session
/// is never returned, and later calls free its memory.
///
/// # Bounds
///
/// A new store holds at most 100,000 sessions and 256 MiB. [`max_sessions`](Self::max_sessions),
/// [`max_bytes`](Self::max_bytes) and [`anonymous_share`](Self::anonymous_share) change that. A store is never unbounded.
/// Sessions without an identity are *anonymous*, and may take three quarters of the room. When there is no room,
///
/// - a session that is signed in, or that signs in, replaces tombstones of destroyed sessions, then the anonymous sessions
///   nearest to their end;
/// - an anonymous session replaces other anonymous sessions if their share is used up, otherwise tombstones;
/// - a session that is signed in is never evicted. If no other sessions are left, the call fails with
///   [`StoreErrorKind::Full`](crate::error::StoreErrorKind::Full) and nothing is written.
///
/// A session that was destroyed or evicted does not come back, since an update never creates. There is always room to sign out
/// and to destroy.
///
/// A large store is divided, and each part has its part of the bounds. So the bounds are never exceeded, but may be reached a
/// few percent early. With fewer than 8,192 sessions (or less than 8 MiB) the store is one part, and exact.
///
/// ```
/// # use http_session_store::{record::*, *};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let id = SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?;
/// # let day = std::time::Duration::from_secs(86_400);
/// # let (record, lifetime) = (Record::new(VerifierHash([7; 32])), Lifetime::new(day, 30 * day));
/// let store = MemoryStore::new().max_sessions(20_000).max_bytes(64 << 20);
/// assert_eq!(store.insert(&id, &record, lifetime).await?, Inserted::Inserted);
///
/// let same_store = store.clone();
/// assert_eq!(same_store.len().await?, 1);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    settings: Settings,
    clock: Arc<dyn Clock>,
    shards: Arc<Shards>,
    generations: Arc<Mutex<Generations>>,
}

#[derive(Clone, Copy)]
struct Settings {
    sessions: usize,
    bytes: usize,
    anonymous_percent: u8,
}

/// What a [`MemoryStore`] holds at a moment, from [`MemoryStore::usage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryUsage {
    /// Sessions with an identity.
    pub signed_in: usize,
    /// Sessions without an identity.
    pub anonymous: usize,
    /// Tombstones of destroyed sessions, which stay for a minute.
    pub tombstones: usize,
    /// Bytes counted for all of them: ids, values, and a constant for each record.
    pub bytes: usize,
    /// Anonymous sessions and tombstones that had to make room for others since the store was made.
    pub evicted: u64,
}

impl MemoryStore {
    /// An empty store of at most 100,000 sessions and 256 MiB. Anonymous sessions may take three quarters of it.
    #[must_use]
    pub fn new() -> Self {
        let settings =
            Settings { sessions: DEFAULT_SESSIONS, bytes: DEFAULT_BYTES, anonymous_percent: DEFAULT_ANONYMOUS_PERCENT };
        Self::with(settings, Arc::new(SystemClock::new()))
    }

    /// Holds at most this many sessions and tombstones.
    ///
    /// Like the other settings, this returns a new, empty store: choose them before the store is used or cloned.
    #[must_use]
    pub fn max_sessions(self, sessions: usize) -> Self {
        Self::with(Settings { sessions, ..self.settings }, self.clock)
    }

    /// Takes at most this many bytes of memory. For each session these count: its values, its id (twice), and 640 bytes (800
    /// with an identity) for what surrounds them, which is measured and rounded up.
    ///
    /// A new, empty store, as with [`max_sessions`](Self::max_sessions).
    #[must_use]
    pub fn max_bytes(self, bytes: usize) -> Self {
        Self::with(Settings { bytes, ..self.settings }, self.clock)
    }

    /// The part of the sessions and bytes that anonymous sessions may take, in percent; above 100 counts as 100.
    ///
    /// The rest stays free for sessions that sign in, which evict nobody as long as it lasts. With 0, only sessions with an
    /// identity are stored. A session that signs out stays, even if it alone is more than the share.
    ///
    /// A new, empty store, as with [`max_sessions`](Self::max_sessions).
    #[must_use]
    pub fn anonymous_share(self, percent: u8) -> Self {
        Self::with(Settings { anonymous_percent: percent.min(100), ..self.settings }, self.clock)
    }

    /// Takes the time from this clock, such as a [`ManualClock`](crate::clock::ManualClock) in tests.
    ///
    /// A new, empty store, as with [`max_sessions`](Self::max_sessions).
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        Self::with(self.settings, Arc::new(clock))
    }

    /// What the store holds now. Expired sessions count until their memory is freed; [`len`](EnumerateSessions::len) does not
    /// count them.
    ///
    /// If [`evicted`](MemoryUsage::evicted) rises, anonymous visitors lose their sessions early.
    #[must_use]
    pub fn usage(&self) -> MemoryUsage {
        let mut usage = MemoryUsage::default();
        for shard in self.shards.all() {
            let shard = lock(shard);
            usage.signed_in += shard.signed_in.len();
            usage.anonymous += shard.anonymous.len();
            usage.tombstones += shard.tombstones.len();
            usage.bytes += shard.signed_in.bytes() + shard.anonymous.bytes() + shard.tombstones.bytes();
            usage.evicted += shard.evicted;
        }
        usage
    }

    fn with(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self { settings, clock, shards: Arc::new(Shards::new(settings)), generations: Arc::default() }
    }

    fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    fn shard(&self, id: &SessionId) -> MutexGuard<'_, Shard> {
        lock(self.shards.of(id))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows counts only: ids may be credentials, and values are the user's.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usage = self.usage();
        f.debug_struct("MemoryStore")
            .field("max_sessions", &self.settings.sessions)
            .field("max_bytes", &self.settings.bytes)
            .field("anonymous_share", &self.settings.anonymous_percent)
            .field("signed_in", &usage.signed_in)
            .field("anonymous", &usage.anonymous)
            .field("tombstones", &usage.tombstones)
            .field("bytes", &usage.bytes)
            .finish_non_exhaustive()
    }
}

/// At least one shard. The first is a field of its own, so that there always is one.
struct Shards {
    hasher: RandomState,
    first: Mutex<Shard>,
    others: Box<[Mutex<Shard>]>,
}

impl Shards {
    fn new(settings: Settings) -> Self {
        let count = shard_count(settings);
        let shard = |index| Mutex::new(Shard::new(limits(settings, count, index)));
        Self { hasher: RandomState::new(), first: shard(0), others: (1..count).map(shard).collect() }
    }

    fn of(&self, id: &SessionId) -> &Mutex<Shard> {
        if self.others.is_empty() {
            return &self.first;
        }
        let hash = self.hasher.hash_one(id.as_bytes());
        // The count is a power of two, so its predecessor is a mask; truncating keeps the bits that it selects.
        let index = hash as usize & self.others.len();
        self.others.get(index).unwrap_or(&self.first)
    }

    fn all(&self) -> impl Iterator<Item = &Mutex<Shard>> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// A power of two near four for each core, but no more than can each be filled evenly.
fn shard_count(settings: Settings) -> usize {
    let wanted = available_parallelism().map_or(1, usize::from).saturating_mul(4).next_power_of_two();
    let filled = (settings.sessions / SESSIONS_PER_SHARD).min(settings.bytes / BYTES_PER_SHARD).max(1);
    wanted.min(1 << filled.ilog2())
}

/// A shard's part of the bounds; the parts add up to the whole.
fn limits(settings: Settings, count: usize, index: usize) -> Limits {
    let part = |whole: usize| whole / count + usize::from(index < whole % count);
    let share = |whole: usize| {
        let hundredths = whole as u128 * u128::from(settings.anonymous_percent);
        usize::try_from(hundredths.div_ceil(100)).unwrap_or(whole)
    };
    Limits {
        sessions: part(settings.sessions),
        bytes: part(settings.bytes),
        anonymous_sessions: part(share(settings.sessions)),
        anonymous_bytes: part(share(settings.bytes)),
    }
}

/// No user code runs under a shard's lock, and the shard's own code does not panic half-way. So what a poisoned lock guards is
/// consistent.
fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SessionStore for MemoryStore {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        let now = self.now();
        Ok(self.shard(id).load(now, id))
    }

    fn is_instant(&self) -> bool {
        true
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let now = self.now();
        self.shard(id).insert(now, id, record, lifetime)
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        let now = self.now();
        self.shard(id).update(now, id, patch, lifetime)
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        let now = self.now();
        Ok(self.shard(id).touch(now, id, epoch, lifetime))
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let now = self.now();
        Ok(self.shard(id).destroy(now, id, epoch))
    }
}

impl ExpressFormat for MemoryStore {}

/// The records are the index: a session is found as soon as it is stored, and no longer than it lives. Pages are in the order of
/// the ids' bytes.
impl IndexSessions for MemoryStore {
    async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        Ok(lock(&self.generations).of(identity))
    }

    async fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Result<(), StoreError> {
        let now = self.now();
        lock(&self.generations).raise(now, identity, generation);
        Ok(())
    }

    async fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        let now = self.now();
        let mut page = BinaryHeap::new();
        for shard in self.shards.all() {
            lock(shard).page_of(now, identity, after, limit, &mut page);
        }
        Ok(page.into_sorted_vec())
    }
}

/// Pages are in the order of the ids' bytes: a session that lives through all pages is named exactly once.
impl EnumerateSessions for MemoryStore {
    async fn len(&self) -> Result<usize, StoreError> {
        let now = self.now();
        Ok(self.shards.all().map(|shard| lock(shard).len(now)).sum())
    }

    async fn ids(&self, from: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let (now, after) = (self.now(), from.map(Cursor::id).transpose()?);
        let mut page = BinaryHeap::new();
        for shard in self.shards.all() {
            lock(shard).page(now, after.as_ref(), limit, &mut page);
        }
        Ok(Page::in_order(page.into_sorted_vec(), limit))
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let now = self.now();
        for shard in self.shards.all() {
            lock(shard).clear(now);
        }
        Ok(())
    }
}
