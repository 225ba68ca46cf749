//! Stages 2 and 3: from the cookies of our name to a session, or to the reason why there is none.

use std::mem;
use std::pin::pin;
use std::time::Duration;

use smallvec::SmallVec;
use tracing::Instrument as _;

use super::{cookie, store_call};
use crate::config::ErasedConfig;
use crate::decide::Origin;
use crate::error::StoreError;
use crate::forgery::Subject;
use crate::request::loaded::Presented;
use crate::request::session::RequestSession;
use crate::request::slot::{Slot, State};
use crate::telemetry;
use crate::token::{CookieKeys, SignedBy, Verifier, hashes_match};
use http_session_store::SessionId;
use http_session_store::record::{Epoch, Record, VerifierHash};

/// A cookie whose MAC is ours.
struct VerifiedCookie {
    id: SessionId,
    epoch: Epoch,
    verifier: Verifier,
    /// The cookie was signed with a previous secret.
    resign: bool,
}

/// How a verified cookie fits the record that it names (R6).
enum Match {
    Found(Presented),
    /// The verifier is an old one. The origin is `Late`, or `New` for a request that counts as one without a session. Either
    /// way the cookie may still sign out.
    Superseded(Origin),
}

/// Loads the session unless that has been done.
///
/// The lock is not held while the store works, so two handles that ask at the same moment both load. The first answer counts,
/// since the other handle may have changed it already.
pub(crate) async fn load(slot: &Slot) {
    if !matches!(*slot.lock(), State::Unloaded) {
        return;
    }
    let mut session = Box::new(RequestSession::new(Origin::New, Record::new(VerifierHash::NONE)));
    let found = pin!(find(slot, &mut session)).instrument(telemetry::load_span()).await;
    telemetry::load_ended(found.as_ref().map(|()| session.loaded.origin));
    let loaded = match found {
        Ok(()) => {
            prepare(slot, &mut session);
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

/// Adds what depends on the request: the attributes with which a cookie begins, the subject of CSRF tokens, and the first use
/// over https. Calls the application's cookie rules, so the slot must not be locked here.
fn prepare(slot: &Slot, session: &mut RequestSession) {
    if session.loaded.origin != Origin::Found {
        session.pending.cookie = cookie::first_cookie(&slot.config, slot);
        session.loaded.record.cookie.clone_from(&session.pending.cookie);
        session.loaded.fresh_cookie.clone_from(&session.pending.cookie);
        return;
    }
    // Taken from the presented session now: tokens are checked against it, whatever the handler does to the session (R24).
    session.loaded.subject =
        session.loaded.id.clone().map(|id| Subject::presented(slot.config.settings.format, id, &session.loaded.record));
    session.loaded.fresh_cookie =
        session.pending.cookie.as_ref().and_then(|cookie| cookie::fresh_cookie(&slot.config, slot, cookie));
    if let Some(cookie) = cookie::secured_cookie(&slot.config, slot, session.pending.cookie.as_ref()) {
        session.loaded.secured = Some(cookie);
        session.secure();
    }
}

/// Turns a new session into the session that the cookies name, if there is one.
///
/// One failed load fails them all. Without its answer we cannot know whether a second live session was presented (R3, R18).
async fn find(slot: &Slot, session: &mut RequestSession) -> Result<(), StoreError> {
    let config = &*slot.config;
    let mut superseded: Option<(VerifiedCookie, Origin)> = None;
    for presented in verified_cookies(slot) {
        // The same session twice is not ambiguous. Only a live one is skipped: a second cookie may fit where the first did
        // not.
        if session.loaded.id.as_ref() == Some(&presented.id)
            || session.loaded.ambiguous.iter().any(|(id, _)| *id == presented.id)
        {
            continue;
        }
        let Some(record) = store_call::load(config, &presented.id).await? else {
            telemetry::missing(&config.tags, &presented.id);
            continue;
        };
        match match_record(slot, &presented, &record) {
            Match::Found(_) if session.loaded.origin == Origin::Found => {
                session.loaded.ambiguous.push((presented.id, record.epoch))
            }
            Match::Found(verifier) => {
                telemetry::loaded(&config.tags, &presented.id);
                session.found(record);
                session.loaded.id = Some(presented.id);
                session.loaded.presented = verifier;
                session.loaded.resign = presented.resign;
            }
            Match::Superseded(origin) => {
                // A late cookie takes precedence: this request must not overwrite the successor on its way (R6).
                if origin == Origin::Late || superseded.is_none() {
                    superseded = Some((presented, origin));
                }
            }
        }
    }
    if !session.loaded.ambiguous.is_empty() {
        make_ambiguous(config, session);
    } else if let (Origin::New, Some((cookie, origin))) = (session.loaded.origin, superseded) {
        // Only when nothing was found: a live session wins over a superseded one (R3).
        session.loaded.origin = origin;
        session.loaded.superseded = Some((cookie.id, cookie.epoch));
    }
    Ok(())
}

/// Several live sessions in one request: somebody may have planted one of them, so the request uses none (R3). Their ids and
/// epochs are kept, because a sign-in or `regenerate` destroys them.
fn make_ambiguous(config: &ErasedConfig, session: &mut RequestSession) {
    let first = session.loaded.id.take().map(|id| (id, session.loaded.record.epoch));
    let ambiguous: Vec<_> = first.into_iter().chain(mem::take(&mut session.loaded.ambiguous)).collect();
    ambiguous.iter().for_each(|(id, _)| telemetry::tossed(&config.tags, id));
    // Starts over, so that nothing of the first session is left in the request.
    *session = RequestSession::new(Origin::Ambiguous, Record::new(VerifierHash::NONE));
    session.loaded.ambiguous = ambiguous;
}

/// The cookies whose MAC is ours, within the limits for one request (R2, R3).
fn verified_cookies(slot: &Slot) -> SmallVec<[VerifiedCookie; 1]> {
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
                // The id alone is the credential in this format, so all live records have the same epoch and verifier.
                epoch: Epoch::default(),
                verifier: Verifier::default(),
                resign: verified.signed_by == SignedBy::Previous,
            })
            .collect(),
    }
}

/// Whether the cookie carries a valid verifier of the record (R6). A renewal leaves the previous verifier valid, as good as
/// the current one, until the next renewal.
fn match_record(slot: &Slot, cookie: &VerifiedCookie, record: &Record) -> Match {
    let hash = slot.config.settings.format.verifier_hash(&cookie.verifier);
    if hashes_match(&record.verifier, &hash) {
        Match::Found(Presented::Current(cookie.verifier))
    } else if record.previous.is_some_and(|previous| hashes_match(&previous, &hash)) {
        Match::Found(Presented::Previous)
    } else {
        // A renewal keeps the epoch, a rotation raises it. So this cookie is older than the last two renewals.
        if cookie.epoch == record.epoch {
            telemetry::outdated(&slot.config.tags, &cookie.id);
        }
        let late = is_late(slot, record.ages.verifier);
        telemetry::superseded(&slot.config.tags, &cookie.id, late);
        Match::Superseded(if late { Origin::Late } else { Origin::New })
    }
}

/// Whether the request reached us before the verifier changed, or within the late window after the change (R6). Within the
/// window a browser may not have its new cookie yet.
fn is_late(slot: &Slot, verifier_age: Duration) -> bool {
    // The store measured the age at the load. The time since the arrival is subtracted: the request was with us already.
    let since_arrival = slot.config.elapsed().saturating_sub(slot.received.arrived);
    let window = slot.config.settings.late_window;
    let after = verifier_age.saturating_sub(since_arrival);
    // A window of zero leaves only the requests that were under way.
    verifier_age < since_arrival || (!window.is_zero() && after <= window)
}
