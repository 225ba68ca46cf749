//! Stages 2 and 3: from the cookies of our name to a session, or to the reason why there is none.

use super::{cookie, store_call};
use std::mem;
use std::pin::pin;
use std::time::Duration;

use smallvec::SmallVec;
use tracing::Instrument as _;

use crate::config::ErasedConfig;
use crate::decide::Origin;
use crate::error::StoreError;
use crate::forgery::Subject;
use crate::request::loaded::Presented;
use crate::request::session::RequestSession;
use crate::request::slot::{Slot, State};
use crate::telemetry;
use crate::token::CookieKeys;
use crate::token::Verifier;
use crate::token::{SignedBy, hashes_match};
use http_session_store::SessionId;
use http_session_store::record::{Epoch, Record, VerifierHash};

/// A cookie whose MAC is ours.
struct VerifiedCookie {
    id: SessionId,
    epoch: Epoch,
    verifier: Verifier,
    resign: bool,
}

/// What the store says of a claim (R6).
enum Match {
    Found(Presented),
    /// Late, or exactly a request without a session; it may sign out all the same.
    Superseded(Origin),
}

/// Loads the session unless somebody has. Two that ask at the same moment both read; the first answer counts.
pub(crate) async fn load(slot: &Slot) {
    if !matches!(*slot.lock(), State::Unloaded) {
        return;
    }
    let mut session = Box::new(RequestSession::new(Origin::New, Record::new(VerifierHash::NONE)));
    let found = pin!(find(slot, &mut session)).instrument(telemetry::load_span()).await;
    telemetry::load_ended(found.as_ref().map(|()| session.loaded.origin));
    let loaded = match found {
        Ok(()) => {
            begin(slot, &mut session);
            State::Loaded(session)
        }
        Err(error) => {
            telemetry::load_failed(&error);
            State::Failed
        }
    };
    let mut state = slot.lock();
    if matches!(*state, State::Unloaded) {
        *state = loaded;
    }
}

/// What the request itself brings to its session: cookie attributes, and the first use over https.
fn begin(slot: &Slot, session: &mut RequestSession) {
    if session.loaded.origin != Origin::Found {
        session.pending.cookie = cookie::first_cookie(&slot.config, slot);
        session.loaded.record.cookie.clone_from(&session.pending.cookie);
        session.loaded.fresh_cookie.clone_from(&session.pending.cookie);
        return;
    }
    session.loaded.subject =
        session.loaded.id.clone().map(|id| Subject::presented(slot.config.settings.format, id, &session.loaded.record));
    session.loaded.fresh_cookie =
        session.pending.cookie.as_ref().and_then(|cookie| cookie::fresh_cookie(&slot.config, slot, cookie));
    if let Some(cookie) = cookie::secured_cookie(&slot.config, slot, session.pending.cookie.as_ref()) {
        session.loaded.secured = Some(cookie);
        session.secure();
    }
}

/// Makes of a new session the one that was presented, if there is one.
async fn find(slot: &Slot, session: &mut RequestSession) -> Result<(), StoreError> {
    let config = &*slot.config;
    let mut superseded: Option<(VerifiedCookie, Origin)> = None;
    for claim in claims(slot) {
        if session.loaded.id.as_ref() == Some(&claim.id)
            || session.loaded.ambiguous.iter().any(|(id, _)| *id == claim.id)
        {
            continue;
        }
        let Some(record) = store_call::load(config, &claim.id).await? else {
            telemetry::missing(&config.tags, &claim.id);
            continue;
        };
        match judge(slot, &claim, &record) {
            Match::Found(_) if session.loaded.origin == Origin::Found => {
                session.loaded.ambiguous.push((claim.id, record.epoch))
            }
            Match::Found(presented) => {
                telemetry::loaded(&config.tags, &claim.id);
                session.found(record);
                session.loaded.id = Some(claim.id);
                session.loaded.presented = presented;
                session.loaded.resign = claim.resign;
            }
            Match::Superseded(origin) => {
                if origin == Origin::Late || superseded.is_none() {
                    superseded = Some((claim, origin));
                }
            }
        }
    }
    if !session.loaded.ambiguous.is_empty() {
        toss(config, session);
    } else if let (Origin::New, Some((claim, origin))) = (session.loaded.origin, superseded) {
        session.loaded.origin = origin;
        session.loaded.claim = Some((claim.id, claim.epoch));
    }
    Ok(())
}

/// Two live sessions in one request: one of them was planted (R3).
fn toss(config: &ErasedConfig, session: &mut RequestSession) {
    let first = session.loaded.id.take().map(|id| (id, session.loaded.record.epoch));
    let tossed: Vec<_> = first.into_iter().chain(mem::take(&mut session.loaded.ambiguous)).collect();
    tossed.iter().for_each(|(id, _)| telemetry::tossed(&config.tags, id));
    *session = RequestSession::new(Origin::Ambiguous, Record::new(VerifierHash::NONE));
    session.loaded.ambiguous = tossed;
}

/// The cookies that verify (R2, R3).
fn claims(slot: &Slot) -> SmallVec<[VerifiedCookie; 1]> {
    let received = &slot.received;
    let candidates = received.candidates.iter().map(SmallVec::as_slice);
    match slot.config.keys() {
        CookieKeys::Native(keys) => keys
            .verify_all(candidates, received.fingerprint.as_deref().unwrap_or_default())
            .into_iter()
            .map(|verified| VerifiedCookie {
                id: SessionId::from_selector(&verified.value.selector),
                epoch: verified.value.epoch,
                verifier: verified.value.verifier,
                resign: verified.signed_by == SignedBy::Previous,
            })
            .collect(),
        CookieKeys::Express(keys) => keys
            .verify_all(candidates)
            .into_iter()
            .map(|verified| VerifiedCookie {
                id: verified.value,
                epoch: Epoch::default(),
                verifier: Verifier::default(),
                resign: verified.signed_by == SignedBy::Previous,
            })
            .collect(),
    }
}

/// Found or superseded (R6). A verifier that was renewed is as good as the current one until the next renewal.
fn judge(slot: &Slot, claim: &VerifiedCookie, record: &Record) -> Match {
    let hash = slot.config.settings.format.verifier_hash(&claim.verifier);
    if hashes_match(&record.verifier, &hash) {
        Match::Found(Presented::Current(claim.verifier))
    } else if record.previous.is_some_and(|previous| hashes_match(&previous, &hash)) {
        Match::Found(Presented::Previous)
    } else {
        if claim.epoch == record.epoch {
            telemetry::outdated(&slot.config.tags, &claim.id);
        }
        let late = is_late(slot, record.ages.verifier);
        telemetry::superseded(&slot.config.tags, &claim.id, late);
        Match::Superseded(if late { Origin::Late } else { Origin::New })
    }
}

/// Whether the request reached us before the verifier changed, or within the window after.
fn is_late(slot: &Slot, verifier_age: Duration) -> bool {
    let since_arrival = slot.config.elapsed().saturating_sub(slot.received.arrived);
    let window = slot.config.settings.late_window;
    let after = verifier_age.saturating_sub(since_arrival);
    verifier_age < since_arrival || (!window.is_zero() && after <= window)
}
