//! A record as a store keeps it, and the contract for it as pure functions of the time.

use std::time::Duration;

use super::{Destroyed, Touched, Updated};
use crate::record::{
    Ages, Epoch, Fields, Lifetime, Patch, RawJson, Record, TOMBSTONE_LIFETIME, VerifierChange, VerifierHash,
};

mod encoding;
#[cfg(test)]
mod tests;

/// A record as a store keeps it, with moments on the store's clock instead of ages, and what the contract says of one record.
///
/// A store that keeps whole records (in memory, in files, as values in a key-value store that compares and swaps) finds the entry
/// under the id, asks it, and puts it back when the answer says that something was written. Then it holds R4, R6, R7, R8 and
/// R9 as `MemoryStore` does, which is made of entries too. To the store is left what takes more than one record: that nobody
/// else writes in between, and room.
///
/// `now` is the time since a moment of the store's choice that stays the same: of an
/// [`elapsed`](crate::clock::Clock::elapsed) where the store ends with its process, of the Unix epoch otherwise. Where the
/// clock goes back, ages are shown as zero and sessions live longer by as much.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Mutex, PoisonError};
/// use std::time::Duration;
///
/// use http_session_store::SessionId;
/// use http_session_store::clock::{Clock, SystemClock};
/// use http_session_store::error::StoreError;
/// use http_session_store::record::{Epoch, Lifetime, Patch, Record};
/// use http_session_store::{Destroyed, Entry, Inserted, SessionStore, Touched, Updated};
///
/// /// Bytes under a key: here in a map, elsewhere in a bucket or a directory.
/// struct Blobs {
///     clock: SystemClock,
///     blobs: Mutex<HashMap<SessionId, Vec<u8>>>,
/// }
///
/// impl Blobs {
///     /// Asks the entry of an id, if it is live, and keeps what the answer made of it.
///     fn ask<T>(&self, id: &SessionId, ask: impl FnOnce(&mut Option<Entry>, Duration) -> T) -> Result<T, StoreError> {
///         let now = self.clock.unix();
///         let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
///         let entry = blobs.get(id).map(|bytes| Entry::from_bytes(bytes)).transpose()?;
///         let mut entry = entry.filter(|entry| entry.is_live(now));
///         let answer = ask(&mut entry, now);
///         match entry {
///             Some(entry) => _ = blobs.insert(id.clone(), entry.to_bytes()),
///             None => _ = blobs.remove(id),
///         }
///         Ok(answer)
///     }
/// }
///
/// impl SessionStore for Blobs {
///     async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
///         self.ask(id, |entry, now| entry.as_ref().map(|entry| entry.record(now)))
///     }
///
///     async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
///         self.ask(id, |entry, now| match entry {
///             Some(_) => Inserted::Taken,
///             None => {
///                 *entry = Some(Entry::new(record, lifetime, now));
///                 Inserted::Inserted
///             }
///         })
///     }
///
///     async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
///         self.ask(id, |entry, now| match entry {
///             Some(entry) => entry.update(patch, lifetime, now),
///             None => Updated::Missing,
///         })
///     }
///
///     async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
///         self.ask(id, |entry, now| match entry {
///             Some(entry) => entry.touch(epoch, lifetime, now),
///             None => Touched::Missing,
///         })
///     }
///
///     async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
///         self.ask(id, |entry, now| match entry {
///             Some(entry) => entry.destroy(epoch, now),
///             None => Destroyed::Missing,
///         })
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    // Open to the stores that keep each in a column of its own.
    pub epoch: Epoch,
    pub identity_epoch: Epoch,
    pub verifier: VerifierHash,
    pub previous: Option<VerifierHash>,
    pub identity: Option<RawJson>,
    pub cookie: Option<RawJson>,
    pub fields: Fields,
    pub moments: Moments,
    pub end: Duration,
}

/// When things happened, on the store's clock; for each, [`Ages`] has the time since.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    pub created: Duration,
    pub identity: Duration,
    pub verifier: Duration,
    pub touched: Duration,
}

impl Entry {
    /// A record that is inserted now: of its ages everything begins now, and it ends as the lifetime says. The record's own ages,
    /// time left and revision are ignored.
    ///
    /// An insert is this, where there is no entry or one that is no longer [live](Self::is_live) (R8).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let now = 20_000 * day;
    /// let entry = Entry::new(&record, lifetime, now);
    /// assert_eq!(entry.end(), now + day);
    /// ```
    #[must_use]
    pub fn new(record: &Record, lifetime: Lifetime, now: Duration) -> Self {
        let moments = Moments { created: now, identity: now, verifier: now, touched: now };
        let end = now.saturating_add(lifetime.time_left(Duration::ZERO, Duration::ZERO));
        Self::with(record.clone(), moments, end)
    }

    fn with(record: Record, moments: Moments, end: Duration) -> Self {
        let Record { epoch, identity_epoch, verifier, previous, identity, cookie, fields, .. } = record;
        Self { epoch, identity_epoch, verifier, previous, identity, cookie, fields, moments, end }
    }

    /// The record as it is now, with its ages and time left, or the tombstone: what a load gives where the entry is
    /// [live](Self::is_live). Shares all values. Its revision is zero.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let now = 20_000 * day;
    /// let entry = Entry::new(&record, lifetime, now);
    /// let record = entry.record(now + day / 3);
    /// assert_eq!((record.ages.created, record.expires_in), (day / 3, day - day / 3));
    /// ```
    #[must_use]
    pub fn record(&self, now: Duration) -> Record {
        Record {
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
            expires_in: self.end.saturating_sub(now),
            revision: 0,
        }
    }

    /// Whether this is still there: a session that has not expired, or its tombstone. An entry that is not may be removed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let now = 20_000 * day;
    /// let entry = Entry::new(&record, lifetime, now);
    /// assert!(entry.is_live(now) && !entry.is_live(now + day));
    /// ```
    #[must_use]
    pub fn is_live(&self, now: Duration) -> bool {
        self.end > now
    }

    /// The moment from which it is no longer [live](Self::is_live), on the store's clock: for a time to live or a queue.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let now = 20_000 * day;
    /// let entry = Entry::new(&record, lifetime, now);
    /// let time_to_live = entry.end().saturating_sub(now);
    /// # assert_eq!(time_to_live, day);
    /// ```
    #[must_use]
    pub const fn end(&self) -> Duration {
        self.end
    }

    /// Whether this is what remains of a destroyed session ([`Record::tombstone`]).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let now = 20_000 * day;
    /// assert!(!Entry::new(&record, lifetime, now).is_tombstone());
    /// ```
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.verifier == VerifierHash::NONE
    }

    /// Who is signed in, as raw JSON.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let now = 20_000 * day;
    /// assert_eq!(Entry::new(&record, lifetime, now).identity(), None);
    /// ```
    #[must_use]
    pub const fn identity(&self) -> Option<&RawJson> {
        self.identity.as_ref()
    }

    /// Bytes that its values take, as [`Record::size`] counts them.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let now = 20_000 * day;
    /// assert_eq!(Entry::new(&record, lifetime, now).size(), record.size());
    /// ```
    #[must_use]
    pub fn size(&self) -> usize {
        let raw = |value: &Option<RawJson>| value.as_ref().map_or(0, |raw| raw.as_bytes().len());
        self.fields.as_bytes().len() + raw(&self.identity) + raw(&self.cookie)
    }

    /// The answer to [`SessionStore::update`](super::SessionStore::update). All of the patch has happened to the entry, or
    /// nothing (R9). Never runs a merge function, so a store may call it under a lock.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let now = 20_000 * day;
    /// let mut entry = Entry::new(&record, lifetime, now);
    /// let mut sign_in = Patch::unchanged(&record);
    /// sign_in.identity = IdentityChange::Set(RawJson::new(b"42"));
    /// sign_in.verifier = VerifierChange::Rotate(VerifierHash([8; 32]));
    ///
    /// assert_eq!(entry.update(&sign_in, lifetime, now), Updated::Applied { renewed: true });
    /// assert_eq!(entry.update(&sign_in, lifetime, now), Updated::Superseded);
    /// ```
    pub fn update(&mut self, patch: &Patch, lifetime: Lifetime, now: Duration) -> Updated {
        if !self.is_live(now) {
            return Updated::Missing;
        }
        if !self.accepts(patch.epoch) {
            return Updated::Superseded;
        }
        let mut record = self.record(now);
        let Ok(renewed) = patch.apply_to(&mut record) else { return Updated::Conflict(Box::new(record)) };
        let mut moments = self.moments;
        if patch.resets_identity_age() {
            moments.identity = now;
        }
        if renewed && !matches!(patch.verifier, VerifierChange::Unchanged) {
            moments.verifier = now;
        }
        *self = Self::with(record, moments, self.end);
        self.extend(lifetime, now);
        Updated::Applied { renewed }
    }

    /// The answer to [`SessionStore::touch`](super::SessionStore::touch): the end has moved as the lifetime says (R7).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let now = 20_000 * day;
    /// let mut entry = Entry::new(&record, lifetime, now);
    /// assert_eq!(entry.touch(record.epoch, lifetime, now + day / 3), Touched::Applied);
    /// assert_eq!(entry.end(), now + day / 3 + day);
    /// ```
    pub fn touch(&mut self, epoch: Epoch, lifetime: Lifetime, now: Duration) -> Touched {
        if !self.is_live(now) {
            return Touched::Missing;
        }
        if !self.accepts(epoch) {
            return Touched::Superseded;
        }
        self.extend(lifetime, now);
        Touched::Applied
    }

    /// The answer to [`SessionStore::destroy`](super::SessionStore::destroy): where it is [`Destroyed::Destroyed`] the entry
    /// has become its tombstone, for [`TOMBSTONE_LIFETIME`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let now = 20_000 * day;
    /// let mut entry = Entry::new(&record, lifetime, now);
    /// assert_eq!(entry.destroy(None, now), Destroyed::Destroyed);
    /// assert!(entry.is_tombstone() && entry.end() == now + TOMBSTONE_LIFETIME);
    /// ```
    pub fn destroy(&mut self, epoch: Option<Epoch>, now: Duration) -> Destroyed {
        if !self.is_live(now) || self.is_tombstone() {
            return Destroyed::Missing;
        }
        if epoch.is_some_and(|epoch| !self.accepts(epoch)) {
            return Destroyed::Superseded;
        }
        let moments = Moments { verifier: now, ..self.moments };
        *self = Self::with(self.record(now).tombstone(), moments, now.saturating_add(TOMBSTONE_LIFETIME));
        Destroyed::Destroyed
    }

    /// Whether a write that was computed for this epoch may happen (R4).
    fn accepts(&self, epoch: Epoch) -> bool {
        !self.is_tombstone() && self.epoch == epoch
    }

    /// Moves the end as a write with this lifetime does (R7).
    fn extend(&mut self, lifetime: Lifetime, now: Duration) {
        let (before, age) = (self.end.saturating_sub(now), now.saturating_sub(self.moments.identity));
        self.end = now.saturating_add(lifetime.time_left(before, age));
        if !lifetime.idle.is_zero() {
            self.moments.touched = now;
        }
    }
}
