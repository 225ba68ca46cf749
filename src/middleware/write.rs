//! Stage 7, towards the store: each kind of write, and what its answers mean. For the end of a request as for the calls that
//! a handler awaits.

use std::time::Duration;

use crate::config::{Core, OwnLifetimes};
use crate::decide::Origin;
use crate::error::{StoreError, StoreErrorKind};
use crate::record::{Epoch, Extent, Fields, Lifetime, Patch, Record, VerifierChange, VerifierHash};
use crate::session::changes::{Ended, Flaw, Live, Verifier};
use crate::session::slot::Slot;
use crate::store::SessionId;
use crate::store::{Destroyed, Inserted, Updated};
use crate::telemetry;

/// Why the handler's response is replaced (R12).
#[derive(Debug)]
pub(crate) enum Failure {
    /// Another request was first.
    Conflict,
    /// The session is larger than the limit (R14).
    TooLarge,
    /// A field does not serialise.
    Unencodable,
    /// The cookie's attributes, or the generated id, make no cookie.
    Cookie,
    /// All sessions of the identity were ended while it signed in (R28).
    Revoked,
    Store(StoreError),
}

impl From<Flaw> for Failure {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Unencodable => Self::Unencodable,
            Flaw::Conflict => Self::Conflict,
            Flaw::Unknown => Self::Store(StoreError::new(StoreErrorKind::Unknown)),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Answer to an update.
pub(crate) enum Written {
    /// Written; the fields as this request knows them now.
    Applied {
        renewed: bool,
        fields: Fields,
    },
    Missing,
    Superseded,
}

impl Core {
    /// How long the session may live after this write (R7, R14).
    pub(crate) fn lifetime(&self, live: &Live) -> Lifetime {
        let lifetime = match live.origin {
            // What this request has stored itself: its cookie never came back.
            Origin::New => self.first_lifetime(live),
            Origin::Found | Origin::Late | Origin::Tossed => self.whole_lifetime(live),
        };
        if live.passive && live.is_stored() { lifetime.unchanged() } else { lifetime }
    }

    /// The same for a write that leaves the session's own lifetimes as they are stored, whatever this request gave it.
    pub(crate) fn stored_lifetime(&self, live: &Live) -> Lifetime {
        if !live.cookie_changed {
            return self.lifetime(live);
        }
        let mut stored = live.clone();
        stored.discard_cookie();
        self.lifetime(&stored)
    }

    fn whole_lifetime(&self, live: &Live) -> Lifetime {
        let own = self.own_lifetimes(live.cookie.as_ref());
        // Given some of its own, or no longer: then the end may move closer too.
        let set = live.cookie_changed
            && (own != OwnLifetimes::default() || own != self.own_lifetimes(live.record.cookie.as_ref()));
        self.lifetimes(own).lifetime(if set { Extent::Set } else { Extent::Extend })
    }

    /// How long a session lives whose cookie has not come back yet (R14).
    pub(crate) fn first_lifetime(&self, live: &Live) -> Lifetime {
        let mut lifetime = self.whole_lifetime(live);
        if live.identity.is_none() {
            lifetime.idle = lifetime.idle.min(self.settings.unconfirmed());
        }
        lifetime
    }

    /// A new verifier and what the record keeps of it.
    pub(crate) fn draw_verifier(&self) -> (Verifier, VerifierHash) {
        let mut verifier = Verifier::default();
        self.random(&mut verifier);
        (verifier, self.settings.format.verifier_hash(&verifier))
    }

    /// Stores a new session: draws until an id is free. Sets the live session's id and record.
    ///
    /// `age` is what the session has behind it already: a record that carries on another does not move the absolute end (R7).
    pub(crate) async fn insert(&self, slot: &Slot, live: &mut Live, age: Duration) -> Result<Verifier, Failure> {
        const ATTEMPTS: usize = 3;
        let mut lifetime = self.first_lifetime(live);
        lifetime.absolute = lifetime.absolute.saturating_sub(age);
        let fields = live.with_fillers();
        for _ in 0..ATTEMPTS {
            let id = match live.new_id.take() {
                Some(id) => id,
                None => self.generate_id(slot.received.parts.as_deref()).ok_or(Failure::Cookie)?,
            };
            let (verifier, hash) = self.draw_verifier();
            let mut record = Record::new(hash);
            record.identity = live.identity.clone();
            record.cookie = live.cookie.clone();
            record.fields = fields.clone();
            if record.size() > self.settings.record_limit {
                return Err(Failure::TooLarge);
            }
            let entry = self.enter(live, live.identity.as_ref(), &id).await?;
            let answer = match self.insert_record(&id, &record, lifetime).await {
                Err(error) if error.kind() == StoreErrorKind::Unknown => {
                    self.settle(&id, hash, error).await.map(|()| Inserted::Inserted)
                }
                answer => answer,
            };
            match answer? {
                Inserted::Inserted => {
                    self.confirm(entry, &id).await?;
                    telemetry::created(self, &id, &live.identity_change);
                    live.id = Some(id);
                    live.record = record;
                    return Ok(verifier);
                }
                Inserted::Taken => {}
            }
        }
        Err(StoreError::new(StoreErrorKind::Refused).into())
    }

    /// A write with a new verifier whose answer was lost is settled by one load: our hash there means applied (R10).
    async fn settle(&self, id: &SessionId, hash: VerifierHash, error: StoreError) -> Result<(), StoreError> {
        let applied = matches!(self.load_record(id).await, Ok(Some(record)) if record.verifier == hash);
        telemetry::commit_settled(self, id, applied);
        if applied { Ok(()) } else { Err(error) }
    }

    /// Whether a record with this patch is within the limit. One that does not grow may be written even if it is not: a
    /// lower limit must not keep anybody signed in.
    pub(crate) fn fits(&self, patch: &Patch, record: &Record) -> bool {
        let size = patch.size(record);
        size <= self.settings.record_limit || size <= record.size()
    }

    /// Writes a patch of a record. After a definite conflict it is merged anew from the original and tried again (R10).
    pub(crate) async fn update(
        &self,
        id: &SessionId,
        record: &Record,
        mut patch: Patch,
        lifetime: Lifetime,
    ) -> Result<Written, Failure> {
        if !self.fits(&patch, record) {
            return Err(Failure::TooLarge);
        }
        let deadline = self.elapsed().saturating_add(self.settings.store_timeout);
        patch.limit = self.settings.record_limit;
        let patch = &patch;
        let mut rebased;
        let mut attempt = patch;
        loop {
            let answer = self.update_record(id, attempt, lifetime).await;
            match answer {
                Ok(Updated::Applied { renewed }) => {
                    return Ok(Written::Applied { renewed, fields: attempt.result.clone() });
                }
                Ok(Updated::Missing) => return Ok(Written::Missing),
                Ok(Updated::Superseded) => return Ok(Written::Superseded),
                Ok(Updated::Conflict(record)) => {
                    rebased = patch.rebase(&record.fields).map_err(|_| Failure::Conflict)?;
                    attempt = &rebased;
                    telemetry::merged(self, id);
                    if self.elapsed() >= deadline {
                        return Err(Failure::Conflict);
                    }
                    if !self.store().is_instant() {
                        tokio::time::sleep(self.jitter()).await;
                    }
                }
                Err(error) => {
                    let fresh = match patch.verifier {
                        VerifierChange::Rotate(hash) | VerifierChange::Renew { new: hash, .. } => Some(hash),
                        VerifierChange::Unchanged => None,
                    };
                    match (error.kind(), fresh) {
                        (StoreErrorKind::Unknown, Some(hash)) => self.settle(id, hash, error).await?,
                        _ => return Err(error.into()),
                    }
                    telemetry::updated(self, id, attempt, true);
                    return Ok(Written::Applied { renewed: true, fields: attempt.result.clone() });
                }
            }
        }
    }

    /// Between two tries after a conflict.
    fn jitter(&self) -> Duration {
        let mut byte = [0];
        self.random(&mut byte);
        Duration::from_micros(500 + 30 * u64::from(byte[0]))
    }

    /// Whether a record that was to be destroyed is gone. Settles an answer that was lost, where a new verifier depends on it
    /// (R10).
    pub(crate) async fn is_gone(&self, id: &SessionId) -> Result<bool, StoreError> {
        let record = self.load_record(id).await?;
        Ok(record.is_none_or(|record| record.is_tombstone()))
    }

    /// Ends a session for a cookie of the `claimed` epoch, superseded or not, as long as the identity in the record is still
    /// the one that this epoch had (R6). `loaded` is the record's epoch, if the cookie fitted it.
    pub(crate) async fn end(&self, id: &SessionId, claimed: Epoch, loaded: Option<Epoch>) -> Result<Ended, StoreError> {
        const ATTEMPTS: usize = 16;
        let mut loaded = loaded;
        for _ in 0..ATTEMPTS {
            let epoch = match loaded.take() {
                Some(epoch) => epoch,
                None => match self.load_record(id).await? {
                    Some(record) if record.identity.is_none() => return Ok(Ended::Already),
                    Some(record) if record.identity_epoch > claimed => return Ok(Ended::Superseded),
                    Some(record) => record.epoch,
                    None => return Ok(Ended::Already),
                },
            };
            match self.destroy_record(id, Some(epoch)).await? {
                Destroyed::Destroyed => return Ok(Ended::Destroyed),
                Destroyed::Missing => return Ok(Ended::Already),
                Destroyed::Superseded => {}
            }
        }
        Err(StoreError::new(StoreErrorKind::Unavailable))
    }
}
