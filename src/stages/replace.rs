//! A new record in place of an old one: `regenerate`, a sign-in in a request that presented several live sessions, and every
//! rotation in the express format, where the id is the credential.

use std::mem;
use std::time::Duration;

use super::cookie::{self, CookieOutcome};
use super::store_call;
use super::write::{self, WriteFailure};
use crate::config::ErasedConfig;
use crate::decide::{Intent, Sign};
use crate::error::StoreErrorKind;
use crate::request::ending::{Ended, Ending};
use crate::request::pending::guard_merge;
use crate::request::session::RequestSession;
use crate::request::slot::Slot;
use crate::telemetry;
use http_session_store::Destroyed;

/// Inserts the new record, then destroys the old one.
///
/// The order matters. If the process dies in between, the browser still has a session. And a session that moves is always
/// in the index under one of its ids, so `destroy_all_of` finds it (R28). If the old record cannot be destroyed, the new
/// one is taken back: the browser keeps the cookie with which it can try again.
pub(super) async fn replace(slot: &Slot, session: &mut RequestSession) -> Result<CookieOutcome, WriteFailure> {
    let config = &*slot.config;
    let old = session.endable();
    let ambiguous = mem::take(&mut session.loaded.ambiguous);
    // A rotation: the same session goes on, with its fields and its age.
    let is_rotation = session.pending.intent != Intent::Regenerate && session.pending.sign == Sign::Unchanged;
    if let (Some(old), true) = (&old, is_rotation) {
        // There is no conditional write across two records. So the copy is made as late as possible, with what other requests
        // have written since the load.
        match store_call::load(config, &old.id).await? {
            Some(record) if record.epoch == session.loaded.record.epoch => {
                // A merge that fails has written nothing: the old record goes on as it is (R10).
                let merged = guard_merge(|| session.patch().merge_into(&record.fields))?;
                session.adopt(record, Ok(merged));
            }
            // Gone or rotated: `end_old_record` finds that out again, and decides what it means.
            Some(_) | None => {}
        }
    }
    let age = if is_rotation { session.loaded.record.absolute_age() } else { Duration::ZERO };
    // A verifier that an awaited call stored belongs to the old record, which is about to end.
    let before = (session.loaded.id.clone(), session.loaded.record.clone(), session.done.verifier.take());
    let verifier = match write::insert_session(config, slot, session, age).await {
        Ok(verifier) => verifier,
        Err(failure) => {
            // The old record stays, so its verifier must go out (R12).
            session.done.verifier = before.2;
            return Err(failure);
        }
    };
    let old_record = async {
        for (id, epoch) in ambiguous {
            let _ = store_call::destroy(config, &id, Some(epoch)).await?;
        }
        match &old {
            Some(old) => end_old_record(config, session, old).await,
            None => Ok(OldRecord::Ended),
        }
    };
    let old_record = old_record.await;
    if let Ok(OldRecord::Ended) = old_record {
        if let (Some(id), Some(old)) = (&session.loaded.id, &old) {
            telemetry::replaced(&config.tags, id, &old.id, session.pending.sign);
        }
        return Ok(CookieOutcome::Set(verifier, session.loaded.record.epoch));
    }
    if let Some(id) = &session.loaded.id {
        // As far as that can be done: its cookie is never sent, so nobody can use it.
        let _ = store_call::destroy(config, id, None).await;
    }
    match old_record {
        Ok(OldRecord::GoneButSigningIn) => {
            // Not the new record from above: that one continues fields of a session that somebody has ended (R11).
            session.keep_own_fields(cookie::first_cookie(config, slot));
            let verifier = write::insert_session(config, slot, session, Duration::ZERO).await?;
            Ok(CookieOutcome::Set(verifier, session.loaded.record.epoch))
        }
        Ok(OldRecord::Ended | OldRecord::Gone) => Ok(CookieOutcome::Dropped),
        Err(failure) => {
            if !matches!(failure, WriteFailure::Conflict) {
                // The old record is still there, and so is the verifier that an awaited call stored in it (R12).
                (session.loaded.id, session.loaded.record, session.done.verifier) = before;
            }
            Err(failure)
        }
    }
}

/// What became of the record that a new one replaces.
enum OldRecord {
    /// It is ended, and the new session stays.
    Ended,
    /// Another request has ended it, and so it has ended what the new session would continue.
    Gone,
    /// Another request has ended it, but this request signs a visitor in. The sign-in goes on with the fields of this
    /// request.
    GoneButSigningIn,
}

async fn end_old_record(
    config: &ErasedConfig,
    session: &RequestSession,
    old: &Ending,
) -> Result<OldRecord, WriteFailure> {
    let is_regenerated = session.pending.intent == Intent::Regenerate;
    let answer = if old.was_signed_in && (is_regenerated || matches!(session.pending.sign, Sign::Out | Sign::OutIn)) {
        // The user leaves this record for good, so it ends even if another request has rotated it since (R6).
        write::end_session(config, &old.id, old.claimed, old.loaded).await
    } else {
        // Only in the loaded epoch: if another request has rotated the session, that request won (R4).
        store_call::destroy(config, &old.id, old.loaded).await.map(|destroyed| match destroyed {
            Destroyed::Destroyed => Ended::Destroyed,
            Destroyed::Missing | Destroyed::Superseded => Ended::Superseded,
        })
    };
    let ended = match answer {
        // The answer was lost, and the cookie of the new record may only go out if the old record is gone (R10).
        Err(error) if error.kind() == StoreErrorKind::Unknown && write::is_gone(config, &old.id).await? => {
            Ended::Destroyed
        }
        answer => answer?,
    };
    match (ended, session.pending.sign) {
        (Ended::Destroyed, _) | (Ended::Already, Sign::Out | Sign::OutIn) => Ok(OldRecord::Ended),
        (Ended::Superseded, Sign::Out | Sign::OutIn) => Err(WriteFailure::Conflict),
        // The user from whom this sign-in switches was signed out elsewhere.
        (Ended::Already | Ended::Superseded, Sign::In) if old.was_signed_in => Err(WriteFailure::Conflict),
        // A regenerated session continues nothing of the old one, so it stays although another request was first.
        (Ended::Already | Ended::Superseded, Sign::In) if is_regenerated => Ok(OldRecord::Ended),
        (Ended::Already | Ended::Superseded, Sign::In) => Ok(OldRecord::GoneButSigningIn),
        (Ended::Already | Ended::Superseded, Sign::Unchanged) if is_regenerated => Ok(OldRecord::Ended),
        (Ended::Already | Ended::Superseded, Sign::Unchanged) => Ok(OldRecord::Gone),
    }
}
