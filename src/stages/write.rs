//! Stage 7, towards the store: each kind of write, and what its answers mean. For the end of a request as for the calls that
//! a handler awaits.

use super::{index, store_call};
use std::time::Duration;

use crate::config::{ErasedConfig, OwnLifetimes};
use crate::decide::Origin;
use crate::error::{SaveError, StoreError, StoreErrorKind};
use crate::request::ending::Ended;
use crate::request::pending::Flaw;
use crate::request::session::RequestSession;
use crate::request::slot::Slot;
use crate::telemetry;
use crate::token::Verifier;
use http_session_store::SessionId;
use http_session_store::record::{Epoch, Extent, Fields, Lifetime, Patch, Record, VerifierChange, VerifierHash};
use http_session_store::{Destroyed, Inserted, Updated};

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

impl From<Failure> for SaveError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Conflict | Failure::Revoked => Self::Conflict,
            Failure::TooLarge => Self::TooLarge,
            Failure::Unencodable => Self::Unencodable,
            Failure::Cookie => Self::NoSession,
            Failure::Store(error) => Self::Store(error),
        }
    }
}

impl Failure {
    /// The failure in a word, for metrics.
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

/// How long the session may live after this write (R7, R14).
pub(crate) fn lifetime(config: &ErasedConfig, session: &RequestSession) -> Lifetime {
    let lifetime = match session.loaded.origin {
        // What this request has stored itself: its cookie never came back.
        Origin::New => first_lifetime(config, session),
        Origin::Found | Origin::Late | Origin::Ambiguous => whole_lifetime(config, session),
    };
    if session.passive && session.is_stored() { lifetime.unchanged() } else { lifetime }
}

/// The same for a write that leaves the session's own lifetimes as they are stored, whatever this request gave it.
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
    // Given some of its own, or no longer: then the end may move closer too.
    let set = session.pending.cookie_changed
        && (own != OwnLifetimes::default() || own != config.own_lifetimes(session.loaded.record.cookie.as_ref()));
    config.lifetimes(own).lifetime(if set { Extent::Set } else { Extent::Extend })
}

/// How long a session lives whose cookie has not come back yet (R14).
pub(crate) fn first_lifetime(config: &ErasedConfig, session: &RequestSession) -> Lifetime {
    let lifetime = whole_lifetime(config, session);
    match session.pending.identity {
        Some(_) => lifetime,
        None => Lifetime { idle: lifetime.idle.min(config.settings.unconfirmed()), ..lifetime },
    }
}

/// A new verifier and what the record keeps of it.
pub(crate) fn draw_verifier(config: &ErasedConfig) -> (Verifier, VerifierHash) {
    let mut verifier = Verifier::default();
    config.random(&mut verifier);
    (verifier, config.settings.format.verifier_hash(&verifier))
}

/// Stores a new session: draws until an id is free. Sets the live session's id and record.
///
/// `age` is what the session has behind it already: a record that carries on another does not move the absolute end (R7).
pub(crate) async fn insert_session(
    config: &ErasedConfig,
    slot: &Slot,
    session: &mut RequestSession,
    age: Duration,
) -> Result<Verifier, Failure> {
    const ATTEMPTS: usize = 3;
    let lifetime = first_lifetime(config, session);
    let lifetime = Lifetime { absolute: lifetime.absolute.saturating_sub(age), ..lifetime };
    let fields = session.pending.with_fillers();
    for _ in 0..ATTEMPTS {
        let id = match session.pending.new_id.take() {
            Some(id) => id,
            None => config.generate_id(slot.received.parts.as_deref()).ok_or(Failure::Cookie)?,
        };
        let (verifier, hash) = draw_verifier(config);
        let record = Record {
            identity: session.pending.identity.clone(),
            cookie: session.pending.cookie.clone(),
            fields: fields.clone(),
            ..Record::new(hash)
        };
        if record.size() > config.settings.record_limit {
            return Err(Failure::TooLarge);
        }
        let entry = index::enter(config, session, session.pending.identity.as_ref(), &id).await?;
        let answer = match store_call::insert(config, &id, &record, lifetime).await {
            Err(error) if error.kind() == StoreErrorKind::Unknown => {
                settle(config, &id, hash, error).await.map(|()| Inserted::Inserted)
            }
            answer => answer,
        };
        match answer? {
            Inserted::Inserted => {
                index::confirm(config, entry, &id).await?;
                telemetry::created(&config.tags, &id, &session.identity_change());
                session.loaded.id = Some(id);
                session.loaded.record = record;
                return Ok(verifier);
            }
            Inserted::Taken => {}
        }
    }
    Err(StoreError::new(StoreErrorKind::Refused).into())
}

/// A write with a new verifier whose answer was lost is settled by one load: our hash there means applied (R10).
async fn settle(
    config: &ErasedConfig,
    id: &SessionId,
    hash: VerifierHash,
    error: StoreError,
) -> Result<(), StoreError> {
    let applied = matches!(store_call::load(config, id).await, Ok(Some(record)) if record.verifier == hash);
    telemetry::commit_settled(&config.tags, id, applied);
    if applied { Ok(()) } else { Err(error) }
}

/// Whether a record with this patch is within the limit. One that does not grow may be written even if it is not: a
/// lower limit must not keep anybody signed in.
pub(crate) fn fits(config: &ErasedConfig, patch: &Patch, record: &Record) -> bool {
    let size = patch.size(record);
    size <= config.settings.record_limit || size <= record.size()
}

/// Writes a patch of a record. After a definite conflict it is merged anew from the original and tried again (R10).
pub(crate) async fn apply_patch(
    config: &ErasedConfig,
    id: &SessionId,
    record: &Record,
    mut patch: Patch,
    lifetime: Lifetime,
) -> Result<Written, Failure> {
    if !fits(config, &patch, record) {
        return Err(Failure::TooLarge);
    }
    let deadline = config.elapsed().saturating_add(config.settings.store_timeout);
    patch.limit = config.settings.record_limit;
    let patch = &patch;
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
                rebased = patch.rebase(&record.fields).map_err(|_| Failure::Conflict)?;
                attempt = &rebased;
                telemetry::merged(&config.tags, id);
                if config.elapsed() >= deadline {
                    return Err(Failure::Conflict);
                }
                if !config.store().is_instant() {
                    tokio::time::sleep(jitter(config)).await;
                }
            }
            Err(error) => {
                let fresh = match patch.verifier {
                    VerifierChange::Rotate(hash) | VerifierChange::Renew { new: hash, .. } => Some(hash),
                    VerifierChange::Unchanged => None,
                };
                match (error.kind(), fresh) {
                    (StoreErrorKind::Unknown, Some(hash)) => settle(config, id, hash, error).await?,
                    _ => return Err(error.into()),
                }
                telemetry::updated(&config.tags, id, attempt, true);
                return Ok(Written::Applied { renewed: true, fields: attempt.result.clone() });
            }
        }
    }
}

/// Between two tries after a conflict.
fn jitter(config: &ErasedConfig) -> Duration {
    let mut byte = [0];
    config.random(&mut byte);
    Duration::from_micros(500 + 30 * u64::from(byte[0]))
}

/// Whether a record that was to be destroyed is gone. Settles an answer that was lost, where a new verifier depends on it
/// (R10).
pub(crate) async fn is_gone(config: &ErasedConfig, id: &SessionId) -> Result<bool, StoreError> {
    let record = store_call::load(config, id).await?;
    Ok(record.is_none_or(|record| record.is_tombstone()))
}

/// Ends a session for a cookie of the `claimed` epoch, superseded or not, as long as the identity in the record is still
/// the one that this epoch had (R6). `loaded` is the record's epoch, if the cookie fitted it.
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
            Destroyed::Superseded => {}
        }
    }
    Err(StoreError::new(StoreErrorKind::Unavailable))
}
