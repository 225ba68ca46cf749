//! Stage 7, towards the store: each kind of write, and what its answers mean. Used by the commit, by the calls that a handler
//! awaits, and by detached sessions.

use std::time::Duration;

use super::{index, store_call};
use crate::config::{ErasedConfig, OwnLifetimes};
use crate::decide::Origin;
use crate::error::{SaveError, StoreError, StoreErrorKind};
use crate::request::ending::Ended;
use crate::request::pending::{Flaw, guard_merge};
use crate::request::session::RequestSession;
use crate::request::slot::Slot;
use crate::telemetry;
use crate::token::Verifier;
use http_session_store::record::{Epoch, Extent, Fields, Lifetime, Patch, Record, VerifierChange, VerifierHash};
use http_session_store::{Destroyed, Inserted, SessionId, Updated};

/// Why a write failed. If it was the commit, the handler's response is replaced (R12).
#[derive(Debug)]
pub(crate) enum WriteFailure {
    /// Another request has changed the session first.
    Conflict,
    /// The session is larger than the limit (R14).
    TooLarge,
    /// A field cannot be serialised.
    Unencodable,
    /// The attributes of the cookie or the generated id do not make a valid cookie.
    Cookie,
    /// All sessions of the identity were ended while it signed in (R28).
    Revoked,
    Store(StoreError),
}

impl From<Flaw> for WriteFailure {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Unencodable => Self::Unencodable,
            Flaw::Conflict => Self::Conflict,
            Flaw::MergePanicked => Self::Store(StoreError::new(StoreErrorKind::Refused)),
            Flaw::Unknown => Self::Store(StoreError::new(StoreErrorKind::Unknown)),
        }
    }
}

impl From<StoreError> for WriteFailure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<WriteFailure> for SaveError {
    fn from(failure: WriteFailure) -> Self {
        match failure {
            WriteFailure::Conflict | WriteFailure::Revoked => Self::Conflict,
            WriteFailure::TooLarge => Self::TooLarge,
            WriteFailure::Unencodable => Self::Unencodable,
            WriteFailure::Cookie => Self::NoSession,
            WriteFailure::Store(error) => Self::Store(error),
        }
    }
}

impl WriteFailure {
    /// The failure as one word, for metrics.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Revoked => "revoked",
            Self::TooLarge => "too_large",
            Self::Unencodable => "unencodable",
            Self::Cookie => "cookie",
            Self::Store(error) => error.kind().name(),
        }
    }
}

/// The outcome of an update.
pub(crate) enum Written {
    /// The record is written. `fields` are its fields, as far as this request knows them.
    Applied {
        renewed: bool,
        fields: Fields,
    },
    Missing,
    Superseded,
}

/// How long the session lives after this write (R7, R14).
pub(crate) fn lifetime(config: &ErasedConfig, session: &RequestSession) -> Lifetime {
    let lifetime = match session.loaded.origin {
        // This request has stored the session itself, so its cookie has not come back yet.
        Origin::New => first_lifetime(config, session),
        Origin::Found | Origin::Late | Origin::Ambiguous => whole_lifetime(config, session),
    };
    if session.passive && session.is_stored() { lifetime.unchanged() } else { lifetime }
}

/// How long the session lives after a write that does not store the pending cookie attributes. It must not apply the
/// session's own lifetimes that are among them.
pub(crate) fn stored_lifetime(config: &ErasedConfig, session: &RequestSession) -> Lifetime {
    if !session.pending.cookie_changed {
        return lifetime(config, session);
    }
    let mut stored = session.clone();
    stored.discard_cookie();
    lifetime(config, &stored)
}

fn whole_lifetime(config: &ErasedConfig, session: &RequestSession) -> Lifetime {
    let own = config.own_lifetimes(session.pending.cookie.as_ref());
    // If this request gave the session its own lifetimes, or took them away, the end may also move closer. Otherwise a write
    // never shortens a life (R7).
    let changed = session.pending.cookie_changed
        && (own != OwnLifetimes::default() || own != config.own_lifetimes(session.loaded.record.cookie.as_ref()));
    config.lifetimes(own).lifetime(if changed { Extent::Set } else { Extent::Extend })
}

/// How long a session lives until its cookie has come back for the first time (R14).
pub(crate) fn first_lifetime(config: &ErasedConfig, session: &RequestSession) -> Lifetime {
    let mut lifetime = whole_lifetime(config, session);
    if session.pending.identity.is_none() {
        lifetime.idle = lifetime.idle.min(config.settings.unconfirmed());
    }
    lifetime
}

/// A new verifier, and the hash that the record keeps.
pub(crate) fn draw_verifier(config: &ErasedConfig) -> (Verifier, VerifierHash) {
    let mut verifier = Verifier::default();
    config.random(&mut verifier);
    (verifier, config.settings.format.verifier_hash(&verifier))
}

/// Stores a new session under an id that is free. Sets the id and the record of `session`.
///
/// `age` is the part of its absolute lifetime that is over already: a record that continues another session must not move the
/// absolute end (R7).
pub(crate) async fn insert_session(
    config: &ErasedConfig,
    slot: &Slot,
    session: &mut RequestSession,
    age: Duration,
) -> Result<Verifier, WriteFailure> {
    const ATTEMPTS: usize = 3;
    let mut lifetime = first_lifetime(config, session);
    lifetime.absolute = lifetime.absolute.saturating_sub(age);
    let fields = session.pending.with_fillers();
    for _ in 0..ATTEMPTS {
        let id = match session.pending.new_id.take() {
            Some(id) => id,
            None => config.generate_id(slot.received.parts.as_deref()).ok_or(WriteFailure::Cookie)?,
        };
        let (verifier, hash) = draw_verifier(config);
        let mut record = Record::new(hash);
        record.identity.clone_from(&session.pending.identity);
        record.cookie.clone_from(&session.pending.cookie);
        record.fields = fields.clone();
        if record.size() > config.settings.record_limit {
            return Err(WriteFailure::TooLarge);
        }
        // The index first, then the record, then the generation again: see the table in `index` (R28).
        let sign_in = index::begin_sign_in(config, session, session.pending.identity.as_ref(), &id).await?;
        let answer = match store_call::insert(config, &id, &record, lifetime).await {
            Err(error) if error.kind() == StoreErrorKind::Unknown => {
                settle_lost_answer(config, &id, hash, error).await.map(|()| Inserted::Inserted)
            }
            answer => answer,
        };
        match answer? {
            Inserted::Inserted => {
                index::confirm_sign_in(config, sign_in, &id).await?;
                telemetry::created(&config.tags, &id, &session.identity_change());
                session.loaded.id = Some(id);
                session.loaded.record = record;
                return Ok(verifier);
            }
            // Never overwritten (R8). The next attempt draws another id.
            Inserted::Taken => {}
        }
    }
    Err(StoreError::new(StoreErrorKind::Refused).into())
}

/// Finds out by one load whether a write was applied whose answer was lost (R10). Only this request knows the new verifier
/// or, in the express format, the new id. So finding its hash proves the write. Otherwise the outcome stays unknown,
/// because the write may still be on its way.
async fn settle_lost_answer(
    config: &ErasedConfig,
    id: &SessionId,
    hash: VerifierHash,
    error: StoreError,
) -> Result<(), StoreError> {
    let applied = matches!(store_call::load(config, id).await, Ok(Some(record)) if record.verifier == hash);
    telemetry::commit_settled(&config.tags, id, applied);
    if applied { Ok(()) } else { Err(error) }
}

/// Whether a record with this patch is within the limit (R14). A patch that does not make the record larger always fits:
/// otherwise a limit that was lowered would make a sign-out impossible.
pub(crate) fn fits(config: &ErasedConfig, patch: &Patch, record: &Record) -> bool {
    let size = patch.size(record);
    size <= config.settings.record_limit || size <= record.size()
}

/// Writes a patch of a record. After a definite conflict, the patch is merged with the stored record and tried again. No
/// new attempt begins once the time limit of the store is over (R9, R10).
pub(crate) async fn apply_patch(
    config: &ErasedConfig,
    id: &SessionId,
    record: &Record,
    mut patch: Patch,
    lifetime: Lifetime,
) -> Result<Written, WriteFailure> {
    if !fits(config, &patch, record) {
        return Err(WriteFailure::TooLarge);
    }
    // A limit of time, not of attempts: many requests that change one field at the same moment must all succeed (R9).
    let deadline = config.elapsed().saturating_add(config.settings.store_time_limit);
    patch.limit = config.settings.record_limit;
    let patch = &patch;
    // Each attempt merges the original patch with what is stored now. Merging the last attempt instead would treat what it
    // took from the store as this request's own: a value that another request removes in the meantime could come back.
    let mut rebased;
    let mut attempt = patch;
    loop {
        let answer = store_call::update(config, id, attempt, lifetime).await;
        match answer {
            Ok(Updated::Applied { renewed }) => {
                return Ok(Written::Applied { renewed, fields: attempt.result.clone() });
            }
            Ok(Updated::Missing) => return Ok(Written::Missing),
            Ok(Updated::Superseded) => return Ok(Written::Superseded),
            Ok(Updated::Conflict(record)) => {
                rebased = guard_merge(|| patch.rebase(&record.fields))?;
                attempt = &rebased;
                telemetry::merged(&config.tags, id);
                if config.elapsed() >= deadline {
                    return Err(WriteFailure::Conflict);
                }
                // The commit to an instant store is polled only once, so it must not wait.
                if !config.store().is_instant() {
                    tokio::time::sleep(jitter(config)).await;
                }
            }
            Err(error) => {
                let new_hash = match patch.verifier {
                    VerifierChange::Rotate(hash) | VerifierChange::Renew { new: hash, .. } => Some(hash),
                    VerifierChange::Unchanged => None,
                };
                match (error.kind(), new_hash) {
                    (StoreErrorKind::Unknown, Some(hash)) => settle_lost_answer(config, id, hash, error).await?,
                    // Without a new verifier nothing tells our write from another request's. It is not sent again (R10).
                    _ => return Err(error.into()),
                }
                telemetry::updated(&config.tags, id, attempt, true);
                return Ok(Written::Applied { renewed: true, fields: attempt.result.clone() });
            }
        }
    }
}

/// How long to wait after a conflict, at random, so that two processes do not collide again and again.
fn jitter(config: &ErasedConfig) -> Duration {
    let mut byte = [0];
    config.random(&mut byte);
    Duration::from_micros(500 + 30 * u64::from(byte[0]))
}

/// Whether a record is gone, after a `destroy` whose answer was lost. Asked where a new verifier may only go out if the old
/// record is destroyed (R10).
pub(crate) async fn is_gone(config: &ErasedConfig, id: &SessionId) -> Result<bool, StoreError> {
    let record = store_call::load(config, id).await?;
    Ok(record.is_none_or(|record| record.is_tombstone()))
}

/// Ends a session on behalf of a cookie of the `claimed` epoch, superseded or not, as long as the record still has the
/// identity of that epoch (R6). `loaded` is the epoch of the record if this request has loaded it.
pub(crate) async fn end_session(
    config: &ErasedConfig,
    id: &SessionId,
    claimed: Epoch,
    loaded: Option<Epoch>,
) -> Result<Ended, StoreError> {
    const ATTEMPTS: usize = 16;
    let mut loaded = loaded;
    for _ in 0..ATTEMPTS {
        let epoch = match loaded.take() {
            // The first attempt needs no load: at this epoch the record has the identity that the request loaded. After
            // that it has moved on, and its identity must be checked.
            Some(epoch) => epoch,
            None => match store_call::load(config, id).await? {
                Some(record) if record.identity.is_none() => return Ok(Ended::Already),
                Some(record) if record.identity_epoch > claimed => return Ok(Ended::Superseded),
                Some(record) => record.epoch,
                None => return Ok(Ended::Already),
            },
        };
        match store_call::destroy(config, id, Some(epoch)).await? {
            Destroyed::Destroyed => return Ok(Ended::Destroyed),
            Destroyed::Missing => return Ok(Ended::Already),
            // Rotated or changed between load and destroy.
            Destroyed::Superseded => {}
        }
    }
    Err(StoreError::new(StoreErrorKind::Unavailable))
}
