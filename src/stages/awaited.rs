//! What a handler awaits: calls that act on the store at once (R11, R13), and run to their end once begun.

use super::{cookie, index, store_call};
use crate::request::ending::SignedOut;
use std::sync::Arc;
use std::time::Duration;

use super::write::{self, Failure, Written};
use crate::decide::{Intent, Origin, Sign};
use crate::error::{SaveError, StoreError, StoreErrorKind};
use crate::request::change_list::ChangeList;
use crate::request::ending::Ended;
use crate::request::pending::Flaw;
use crate::request::session::RequestSession;
use crate::request::slot::Slot;
use crate::telemetry;
use http_session_store::SessionId;
use http_session_store::Updated;
use http_session_store::record::{Clear, OnConflict, Patch, Record, VerifierChange};

/// Where an awaited write goes.
enum Target {
    Insert,
    Update(SessionId),
}

/// The session as it is now, and where a write of it goes.
fn target(slot: &Slot) -> Result<(RequestSession, Target), SaveError> {
    let Some(session) = slot.with(|session| session.clone()) else {
        return Err(SaveError::NoSession);
    };
    match session.pending.flaw {
        Some(Flaw::Unencodable) => return Err(SaveError::Unencodable),
        Some(Flaw::Conflict) => return Err(SaveError::Conflict),
        Some(Flaw::Unknown) => return Err(StoreError::new(StoreErrorKind::Unknown).into()),
        None => {}
    }
    // Signed in and out again, the fields have started afresh: in the store they do so with a new epoch alone (R4, R5).
    if session.pending.sign != Sign::Unchanged
        || session.pending.intent > Intent::Rotate
        || session.pending.clear != Clear::Nothing
    {
        return Err(SaveError::IdentityPending);
    }
    match (session.loaded.origin, &session.loaded.id) {
        (Origin::Late | Origin::Ambiguous, _) => Err(SaveError::Superseded),
        (Origin::New | Origin::Found, Some(id)) => {
            let id = id.clone();
            Ok((session, Target::Update(id)))
        }
        (Origin::New | Origin::Found, None) if !cookie::sendable(&slot.config, slot, &session) => {
            Err(SaveError::Unsendable)
        }
        (Origin::New | Origin::Found, None) => Ok((session, Target::Insert)),
    }
}

/// Writes the pending fields now.
pub(crate) async fn save(slot: Arc<Slot>) -> Result<(), SaveError> {
    let _turn = slot.turn().await;
    save_now(&slot).await.inspect_err(|error| report(&slot, error))
}

fn report(slot: &Slot, error: &SaveError) {
    telemetry::save_failed(&slot.config.tags, slot.record_id().as_ref(), error);
}

async fn save_now(slot: &Slot) -> Result<(), SaveError> {
    let (session, target) = target(slot)?;
    let Target::Update(id) = target else {
        return insert_now(slot, session, None).await;
    };
    index::relink(&slot.config, &session, &id).await?;
    match write::apply_patch(
        &slot.config,
        &id,
        &session.loaded.record,
        session.patch(),
        write::lifetime(&slot.config, &session),
    )
    .await
    {
        Ok(Written::Applied { fields, .. }) => {
            slot.with(|now| {
                if now.done.records == session.done.records {
                    now.written(&session, fields)
                }
            });
            Ok(())
        }
        Ok(Written::Missing) => Err(SaveError::Missing),
        Ok(Written::Superseded) => Err(SaveError::Superseded),
        Err(failure) => Err(note_unknown(slot, failure.into())),
    }
}

async fn insert_now(slot: &Slot, mut session: RequestSession, changes: Option<&ChangeList>) -> Result<(), SaveError> {
    session.pending.new_id = slot.id();
    let inserted = write::insert_session(&slot.config, slot, &mut session, Duration::ZERO).await;
    let verifier = inserted.map_err(|failure| note_unknown(slot, failure.into()))?;
    session.pending.fields = session.loaded.record.fields.clone();
    slot.with(|now| {
        if let Some(changes) = changes.filter(|_| now.done.view == session.done.view) {
            now.take_fields(changes.apply_to(&now.pending.fields), &changes.changed());
        }
        now.inserted(&session, verifier);
    });
    Ok(())
}

/// A write whose answer was lost may have happened: the commit must not send it again (R10).
fn note_unknown(slot: &Slot, error: SaveError) -> SaveError {
    if matches!(&error, SaveError::Store(error) if error.kind() == StoreErrorKind::Unknown) {
        slot.with(|session| session.pending.flaw = Some(Flaw::Unknown));
    }
    error
}

/// Writes these changes now, on condition that the store still has what was loaded (R13).
pub(crate) async fn gate(slot: Arc<Slot>, changes: ChangeList, view: u32) -> Result<(), SaveError> {
    let _turn = slot.turn().await;
    gate_now(&slot, changes, view).await.inspect_err(|error| report(&slot, error))
}

async fn gate_now(slot: &Slot, changes: ChangeList, view: u32) -> Result<(), SaveError> {
    let (mut session, target) = target(slot)?;
    if session.done.view != view {
        return Err(SaveError::IdentityPending);
    }
    let Target::Update(id) = target else {
        session.take_fields(changes.apply_to(&session.pending.fields), &changes.changed());
        return insert_now(slot, session, Some(&changes)).await;
    };
    let mut patch = Patch::unchanged(&session.loaded.record);
    patch.result = changes.apply_to(&session.loaded.record.fields);
    patch.touched = changes.changed();
    patch.on_conflict = OnConflict::Refuse;
    if !write::fits(&slot.config, &patch, &session.loaded.record) {
        return Err(SaveError::TooLarge);
    }
    match store_call::update(&slot.config, &id, &patch, write::stored_lifetime(&slot.config, &session)).await {
        Ok(Updated::Applied { .. }) => {
            slot.with(|now| {
                if now.done.records == session.done.records {
                    now.gated(view, &changes, patch.result)
                }
            });
            Ok(())
        }
        Ok(Updated::Missing) => Err(SaveError::Missing),
        Ok(Updated::Superseded) => Err(SaveError::Superseded),
        Ok(Updated::Conflict(record)) => {
            adopt(slot, &session, &record);
            Err(SaveError::Conflict)
        }
        Err(error) => Err(note_unknown(slot, error.into())),
    }
}

/// Moves what is pending on top of a record that somebody else wrote. The user's merge functions run outside of the lock.
fn adopt(slot: &Slot, session: &RequestSession, record: &Record) {
    loop {
        let Some((patch, fields)) = slot
            .with(|now| (now.done.records == session.done.records).then(|| (now.patch(), now.pending.fields.clone())))
            .flatten()
        else {
            return;
        };
        let merged = patch.merge_into(&record.fields);
        let adopted = slot.with(|now| {
            let is_same = now.done.records == session.done.records
                && now.pending.fields.same_block(&fields)
                && now.pending.clear == patch.clear;
            if is_same {
                now.adopt(record.clone(), merged);
            }
            is_same
        });
        if adopted != Some(false) {
            return;
        }
    }
}

/// Records that the session ends: done at the commit unless it is awaited.
pub(crate) fn ask_end(slot: &Slot) {
    let cookie = cookie::first_cookie(&slot.config, slot);
    slot.with(|session| session.end(cookie));
}

/// Records a sign-out: done at the commit unless it is awaited.
pub(crate) fn ask_sign_out(slot: &Slot) {
    slot.with(|session| {
        session.end_claim();
        if session.pending.identity.is_some() {
            session.change_identity(None);
        } else if session.pending.intent == Intent::Regenerate && session.loaded.record.identity.is_some() {
            session.pending.sign = Sign::Out;
        }
    });
}

/// Signs out now.
pub(crate) async fn sign_out(slot: Arc<Slot>) -> Result<SignedOut, StoreError> {
    let turn = slot.turn().await;
    let Some(session) = slot.with(|session| session.clone()) else {
        return Ok(SignedOut::NotSignedIn);
    };
    if session.done.endings.iter().any(|ending| ending.done.is_none()) {
        drop(turn);
        return destroy(slot).await;
    }
    let Some(id) =
        session.loaded.id.as_ref().filter(|_| session.is_stored() && session.loaded.record.identity.is_some())
    else {
        return Ok(if session.done.endings.is_empty() { SignedOut::NotSignedIn } else { SignedOut::AlreadySignedOut });
    };
    if slot.config.settings.format.rotates_into_new_record() {
        let ended =
            write::end_session(&slot.config, id, session.loaded.record.epoch, Some(session.loaded.record.epoch))
                .await?;
        if ended == Ended::Destroyed {
            telemetry::signed_out(&slot.config.tags, id);
        }
        note_ended(&slot, &session, ended);
        return Ok(ended.into());
    }
    let (verifier, hash) = write::draw_verifier(&slot.config);
    let mut patch = session.sign_out_patch();
    patch.verifier = VerifierChange::Rotate(hash);
    match write::apply_patch(&slot.config, id, &session.loaded.record, patch, write::lifetime(&slot.config, &session))
        .await
    {
        Ok(Written::Applied { fields, .. }) => {
            slot.with(|now| now.signed_out(&session, verifier, hash, fields));
            Ok(SignedOut::SignedOut)
        }
        Ok(Written::Missing | Written::Superseded) => {
            let ended = write::end_session(&slot.config, id, session.loaded.record.epoch, None).await?;
            note_ended(&slot, &session, ended);
            Ok(ended.into())
        }
        Err(Failure::Store(error)) => Err(error),
        Err(Failure::Conflict | Failure::TooLarge | Failure::Unencodable | Failure::Cookie | Failure::Revoked) => {
            Err(StoreError::new(StoreErrorKind::Refused))
        }
    }
}

fn note_ended(slot: &Slot, session: &RequestSession, ended: Ended) {
    let cookie = cookie::first_cookie(&slot.config, slot);
    slot.with(|now| {
        if now.done.records == session.done.records {
            now.ended(session.done.view, ended, cookie);
        }
    });
}

/// Ends now what the handler has ended.
pub(crate) async fn destroy(slot: Arc<Slot>) -> Result<SignedOut, StoreError> {
    let _turn = slot.turn().await;
    let endings = slot.with(|session| session.done.endings.clone()).unwrap_or_default();
    let mut answer = if endings.is_empty() { SignedOut::NotSignedIn } else { SignedOut::AlreadySignedOut };
    for (place, ending) in endings.into_iter().enumerate().filter(|(_, ending)| ending.done.is_none()) {
        let ended = write::end_session(&slot.config, &ending.id, ending.claimed, ending.loaded).await?;
        slot.with(|now| {
            if let Some(ending) = now.done.endings.get_mut(place) {
                ending.done.get_or_insert(ended);
            }
        });
        answer = match ended {
            Ended::Destroyed if ending.loaded.is_some() && !ending.identity => SignedOut::NotSignedIn,
            ended => ended.into(),
        };
    }
    Ok(answer)
}

/// Reads the session again; what was changed and not written is forgotten.
pub(crate) async fn reload(slot: Arc<Slot>) -> Result<(), SaveError> {
    let _turn = slot.turn().await;
    let Some(session) = slot.with(|session| session.clone()) else {
        return Err(SaveError::NoSession);
    };
    let Some(id) = session.loaded.id.as_ref().filter(|_| session.is_stored()) else {
        return Err(SaveError::Missing);
    };
    let record = store_call::load(&slot.config, id).await?.ok_or(SaveError::Missing)?;
    if record.epoch != session.loaded.record.epoch {
        return Err(if record.is_tombstone() { SaveError::Missing } else { SaveError::Superseded });
    }
    let reloaded = slot.with(|now| {
        let same = now.done.view == session.done.view;
        if same {
            now.loaded.record = record;
            now.discard();
        }
        same
    });
    if reloaded == Some(true) { Ok(()) } else { Err(SaveError::IdentityPending) }
}
