//! A record as a store keeps it, and the contract for one record as pure functions of the time.

use std::time::Duration;

use crate::answer::{Destroyed, Touched, Updated};
use crate::record::{
    Ages, Epoch, Fields, Lifetime, Patch, RawJson, Record, TOMBSTONE_LIFETIME, VerifierChange, VerifierHash,
};

mod encoding;
#[cfg(test)]
mod tests;

/// A record as a store keeps it, with moments on the store's clock instead of ages, and the contract for one record.
///
/// A store that keeps whole records (in memory, in files, as values in a key-value store that compares and swaps) finds the entry
/// under the id, calls its method, and puts it back if the answer says that something was written. `MemoryStore` does that
/// too. Only two things are left to the store: that nobody else writes in between, and room. The
/// [documentation of the crate](crate) has an example.
///
/// `now` is the time since a moment of the store's choice that stays the same: [`Clock::elapsed`](crate::clock::Clock::elapsed)
/// if the store ends with its process, otherwise [`Clock::unix`](crate::clock::Clock::unix). If the clock goes back, ages are
/// shown as zero, and sessions live longer by as much.
///
/// # Columns
///
/// The fields are public, and the struct is exhaustive on purpose. A store that keeps each value in a column of its own builds
/// and destructures an entry; the compiler then points it to a value that is new.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store that keeps each value in a column must notice a new one")]
pub struct Entry {
    /// The epoch that a write must name.
    pub epoch: Epoch,
    /// The epoch in which the identity's value last changed.
    pub identity_epoch: Epoch,
    /// Hash of the current verifier; [`VerifierHash::NONE`] in a tombstone.
    pub verifier: VerifierHash,
    /// Hash of the verifier before it, while that is still valid.
    pub previous: Option<VerifierHash>,
    /// Who is signed in, as raw JSON.
    pub identity: Option<RawJson>,
    /// The session's own cookie attributes, as a JSON object.
    pub cookie: Option<RawJson>,
    /// The user's fields.
    pub fields: Fields,
    /// When things happened.
    pub moments: Moments,
    /// The moment from which it is no longer [live](Self::is_live), on the store's clock.
    pub end: Duration,
}

/// When things happened, on the store's clock. [`Ages`] has the time since. Exhaustive for the same reason as [`Entry`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store that keeps each value in a column must notice a new one")]
pub struct Moments {
    /// The session was created.
    pub created: Duration,
    /// The identity was last set, changed, affirmed or removed; the session was created if it never was.
    pub identity: Duration,
    /// The verifier last changed; in a tombstone, the session was destroyed.
    pub verifier: Duration,
    /// The last insert, update or touch that extended the session.
    pub touched: Duration,
}

impl Entry {
    /// A record that is inserted now: all of its ages begin now, and it ends as the lifetime says. The record's own ages, time
    /// left and revision are ignored.
    ///
    /// This is the insert of a store, if it has no [live](Self::is_live) entry under the id.
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

    /// The record, or the tombstone, with its ages and time left: this is the answer to a load if the entry is
    /// [live](Self::is_live). It shares all values. Its revision is zero.
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

    /// Whether it still counts: a session that has not expired, or its tombstone. Any other entry may be removed.
    #[must_use]
    pub fn is_live(&self, now: Duration) -> bool {
        self.end > now
    }

    /// The moment from which it is no longer [live](Self::is_live), on the store's clock. A storage that removes by itself gets
    /// `entry.end().saturating_sub(now)` as its time to live.
    #[must_use]
    pub const fn end(&self) -> Duration {
        self.end
    }

    /// Whether this is the [tombstone](Record::tombstone) of a destroyed session.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.verifier == VerifierHash::NONE
    }

    /// Who is signed in, as raw JSON.
    #[must_use]
    pub const fn identity(&self) -> Option<&RawJson> {
        self.identity.as_ref()
    }

    /// Bytes that its values take, counted as in [`Record::size`].
    #[must_use]
    pub fn size(&self) -> usize {
        let raw = |value: &Option<RawJson>| value.as_ref().map_or(0, |raw| raw.as_bytes().len());
        self.fields.as_bytes().len() + raw(&self.identity) + raw(&self.cookie)
    }

    /// The answer to [`SessionStore::update`](crate::SessionStore::update). If it is [`Updated::Applied`], all of the patch has
    /// happened to the entry; otherwise nothing has. It runs no code of the user, so a store may call it under a lock.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let (lifetime, now) = (Lifetime::new(day, 30 * day), 20_000 * day);
    /// let mut entry = Entry::new(&record, lifetime, now);
    /// let mut sign_in = Patch::unchanged(&record);
    /// sign_in.identity = IdentityChange::Set(RawJson::new(b"42"));
    /// sign_in.verifier = VerifierChange::Rotate(VerifierHash([8; 32]));
    ///
    /// assert_eq!(entry.update(&sign_in, lifetime, now), Updated::Applied { renewed: true });
    /// // The epoch is another one now.
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

    /// The answer to [`SessionStore::touch`](crate::SessionStore::touch). If it is [`Touched::Applied`], the end has moved as the
    /// lifetime says.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let (lifetime, now) = (Lifetime::new(day, 30 * day), 20_000 * day);
    /// let mut entry = Entry::new(&record, lifetime, now);
    /// assert_eq!(entry.touch(record.epoch, lifetime, now + day / 3), Touched::Applied);
    /// assert_eq!(entry.end(), now + day / 3 + day);
    ///
    /// let record = entry.record(now + day);
    /// assert_eq!((record.ages.created, record.expires_in), (day, day / 3));
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

    /// The answer to [`SessionStore::destroy`](crate::SessionStore::destroy). If it is [`Destroyed::Destroyed`], the entry has
    /// become its tombstone, for [`TOMBSTONE_LIFETIME`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{record::*, *};
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), Duration::from_secs(24 * 3600));
    /// # let (lifetime, now) = (Lifetime::new(day, 30 * day), 20_000 * day);
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

    /// Whether a write that was computed for this epoch may happen.
    fn accepts(&self, epoch: Epoch) -> bool {
        !self.is_tombstone() && self.epoch == epoch
    }

    /// Moves the end as a write with this lifetime does.
    fn extend(&mut self, lifetime: Lifetime, now: Duration) {
        let (before, age) = (self.end.saturating_sub(now), now.saturating_sub(self.moments.identity));
        self.end = now.saturating_add(lifetime.time_left(before, age));
        if !lifetime.idle.is_zero() {
            self.moments.touched = now;
        }
    }
}
