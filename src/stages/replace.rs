//! A new record in place of an old one: `regenerate`, a sign-in beside an ambiguous session, and every rotation in the express
//! format, where the id is the credential.

use std::mem;
use std::time::Duration;

use super::cookie::{self, CookieOutcome};
use super::store_call;
use super::write::{self, Failure};
use crate::config::ErasedConfig;
use crate::decide::{Intent, Sign};
use crate::error::StoreErrorKind;
use crate::request::ending::{Ended, Ending};
use crate::request::session::RequestSession;
use crate::request::slot::Slot;
use crate::telemetry;
use http_session_store::Destroyed;

/// Inserts the new session, then ends those that it follows, so that nothing is lost between. Where these cannot be ended,
/// the new one goes again: the browser keeps the cookie with which it can try once more.
pub(super) async fn replace(slot: &Slot, session: &mut RequestSession) -> Result<CookieOutcome, Failure> {
    let config = &*slot.config;
    let follows = session.endable();
    let tossed = mem::take(&mut session.loaded.ambiguous);
    let carries_on = session.pending.intent != Intent::Regenerate && session.pending.sign == Sign::Unchanged;
    if let (Some(follows), true) = (&follows, carries_on) {
        // The copy is as fresh as it can be: what others wrote since it was loaded goes along.
        match store_call::load(config, &follows.id).await? {
            Some(record) if record.epoch == session.loaded.record.epoch => {
                let merged = session.patch().merge_into(&record.fields);
                session.adopt(record, merged);
            }
            Some(_) | None => {}
        }
    }
    let age = if carries_on { session.loaded.record.absolute_age() } else { Duration::ZERO };
    let before = (session.loaded.id.clone(), session.loaded.record.clone(), session.done.verifier.take());
    let verifier = match write::insert_session(config, slot, session, age).await {
        Ok(verifier) => verifier,
        Err(failure) => {
            session.done.verifier = before.2;
            return Err(failure);
        }
    };
    let left = async {
        for (id, epoch) in tossed {
            let _ = store_call::destroy(config, &id, Some(epoch)).await?;
        }
        match &follows {
            Some(follows) => leave(config, session, follows).await,
            None => Ok(OldRecord::Ended),
        }
    };
    let left = left.await;
    if let Ok(OldRecord::Ended) = left {
        if let (Some(id), Some(follows)) = (&session.loaded.id, &follows) {
            telemetry::replaced(&config.tags, id, &follows.id, session.pending.sign);
        }
        return Ok(CookieOutcome::Set(verifier, session.loaded.record.epoch));
    }
    if let Some(id) = &session.loaded.id {
        // As far as it can be done; its cookie never leaves.
        let _ = store_call::destroy(config, id, None).await;
    }
    match left {
        Ok(OldRecord::GoneButSigningIn) => {
            session.keep_own_fields(cookie::first_cookie(config, slot));
            let verifier = write::insert_session(config, slot, session, Duration::ZERO).await?;
            Ok(CookieOutcome::Set(verifier, session.loaded.record.epoch))
        }
        Ok(OldRecord::Ended | OldRecord::Gone) => Ok(CookieOutcome::Dropped),
        Err(failure) => {
            if !matches!(failure, Failure::Conflict) {
                // The old record is there yet, and so is what an awaited call stored of it.
                (session.loaded.id, session.loaded.record, session.done.verifier) = before;
            }
            Err(failure)
        }
    }
}

/// What became of the record that a new one replaces.
enum OldRecord {
    /// It is ended, and the new session stands.
    Ended,
    /// Another request had ended it, and with it what the new session would carry on.
    Gone,
    /// Another request had ended it, and this request signs a visitor in: the sign-in goes on with the fields of this request.
    GoneButSigningIn,
}

async fn leave(config: &ErasedConfig, session: &RequestSession, follows: &Ending) -> Result<OldRecord, Failure> {
    let carries_on = session.pending.intent != Intent::Regenerate;
    let answer = if follows.identity && (!carries_on || matches!(session.pending.sign, Sign::Out | Sign::OutIn)) {
        write::end_session(config, &follows.id, follows.claimed, follows.loaded).await
    } else {
        store_call::destroy(config, &follows.id, follows.loaded).await.map(|destroyed| match destroyed {
            Destroyed::Destroyed => Ended::Destroyed,
            Destroyed::Missing | Destroyed::Superseded => Ended::Superseded,
        })
    };
    let ended = match answer {
        Err(error) if error.kind() == StoreErrorKind::Unknown && write::is_gone(config, &follows.id).await? => {
            Ended::Destroyed
        }
        answer => answer?,
    };
    match (ended, session.pending.sign) {
        (Ended::Destroyed, _) | (Ended::Already, Sign::Out | Sign::OutIn) => Ok(OldRecord::Ended),
        (Ended::Superseded, Sign::Out | Sign::OutIn) => Err(Failure::Conflict),
        // The identity that this sign-in switches from was signed out elsewhere.
        (Ended::Already | Ended::Superseded, Sign::In) if follows.identity => Err(Failure::Conflict),
        (Ended::Already | Ended::Superseded, Sign::In) if carries_on => Ok(OldRecord::GoneButSigningIn),
        (Ended::Already | Ended::Superseded, Sign::In) => Ok(OldRecord::Ended),
        (Ended::Already | Ended::Superseded, Sign::Unchanged) if carries_on => Ok(OldRecord::Gone),
        (Ended::Already | Ended::Superseded, Sign::Unchanged) => Ok(OldRecord::Ended),
    }
}
