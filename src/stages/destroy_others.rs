//! Ends all other sessions of the user who is signed in (R28).

use std::sync::Arc;

use super::write::{self, Written};
use super::{cookie, index, store_call};
use crate::decide::{Intent, Origin, Sign};
use crate::error::{SaveError, StoreErrorKind};
use crate::request::session::RequestSession;
use crate::request::slot::Slot;
use http_session_store::record::{Patch, VerifierChange};
use http_session_store::{Destroyed, SessionId};

/// Rotates the request's own session, then ends all others. Returns how many it ended.
pub(crate) async fn destroy_others(slot: Arc<Slot>) -> Result<usize, SaveError> {
    let _turn = slot.turn().await;
    let session = slot.with(|session| session.clone()).ok_or(SaveError::NoSession)?;
    if session.pending.sign != Sign::Unchanged || session.pending.intent > Intent::Rotate {
        return Err(SaveError::IdentityPending);
    }
    let (id, identity) = match (session.loaded.origin, &session.loaded.id, &session.loaded.record.identity) {
        (Origin::Late | Origin::Ambiguous, _, _) => return Err(SaveError::Superseded),
        (Origin::New | Origin::Found, Some(id), Some(identity)) => (id, identity),
        (Origin::New | Origin::Found, _, _) => return Err(SaveError::NotSignedIn),
    };
    if !cookie::sendable(&slot.config, &slot, &session) {
        return Err(SaveError::Unsendable);
    }
    // Rotated first, so that a stolen copy of this session's cookie ends too. If that fails because the session is
    // superseded, the request may be the thief's, and the others stay.
    let own = if slot.config.settings.format.rotates_into_new_record() {
        move_now(&slot, &session, id).await?
    } else {
        rotate_now(&slot, &session, id).await?;
        id.clone()
    };
    Ok(index::end_all(&slot.config, identity, Some(&own)).await?)
}

/// Writes a new verifier, and none of the request's changes.
async fn rotate_now(slot: &Slot, session: &RequestSession, id: &SessionId) -> Result<(), SaveError> {
    let (verifier, hash) = write::draw_verifier(&slot.config);
    let mut patch = Patch::unchanged(&session.loaded.record);
    patch.verifier = VerifierChange::Rotate(hash);
    match write::apply_patch(
        &slot.config,
        id,
        &session.loaded.record,
        patch,
        write::stored_lifetime(&slot.config, session),
    )
    .await?
    {
        Written::Applied { .. } => {
            slot.with(|now| now.rotated(session, verifier, hash));
            Ok(())
        }
        Written::Missing => Err(SaveError::Missing),
        Written::Superseded => Err(SaveError::Superseded),
    }
}

/// Moves the record, as it is stored, to a new id: inserts a copy, then destroys the old record.
async fn move_now(slot: &Slot, session: &RequestSession, id: &SessionId) -> Result<SessionId, SaveError> {
    let config = &*slot.config;
    let stored = store_call::load(config, id).await?;
    let mut record = match stored {
        None => return Err(SaveError::Missing),
        Some(record) if record.epoch != session.loaded.record.epoch => return Err(SaveError::Superseded),
        Some(record) => record,
    };
    // The copy keeps the absolute end of the record (R7).
    let age = record.absolute_age();
    record.ages = session.loaded.record.ages;
    let mut moved = RequestSession::new(Origin::New, record);
    let verifier = write::insert_session(config, slot, &mut moved, age).await?;
    // In this order, so that no moment is without the session, and so that `destroy_all_of` finds one of the two (see
    // `index`).
    let destroyed = match store_call::destroy(config, id, Some(session.loaded.record.epoch)).await {
        Ok(Destroyed::Destroyed) => Ok(()),
        Ok(Destroyed::Missing | Destroyed::Superseded) => Err(SaveError::Superseded),
        Err(error) if error.kind() == StoreErrorKind::Unknown => match write::is_gone(config, id).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    };
    let new = moved.loaded.id.clone().ok_or(SaveError::NoSession)?;
    match destroyed {
        Ok(()) => {
            slot.with(|now| now.moved(session, &moved, verifier));
            Ok(new)
        }
        Err(error) => {
            // The request stays with its old record, so the copy goes, as far as that can be done. Nobody has its cookie.
            let _ = store_call::destroy(config, &new, None).await;
            Err(error)
        }
    }
}
