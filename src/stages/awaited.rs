//! What a handler awaits: calls that act on the store at once (R11, R13). Once begun, they run to their end.
//!
//! Every call follows one pattern:
//!
//! 1. It takes its **turn**. Only one awaited write of a request is under way, so each starts from what the one before it has
//!    stored.
//! 2. It clones the session as it is now and makes the store call with the clone. The slot is not locked meanwhile, so handles
//!    may change the session.
//! 3. It notes the answer in the session as it is then, which is called `now` here. Two counters of `Done` tell what has happened
//!    in the meantime. If `records` differs, the request has left the record, and the answer says nothing about its session any
//!    more. If `view` differs, the identity or the whole session has changed, and changes from before do not belong to it (R4).

use std::sync::Arc;
use std::time::Duration;

use super::write::{self, WriteFailure, Written};
use super::{cookie, index, store_call};
use crate::decide::{Intent, Origin, Sign};
use crate::error::{SaveError, StoreError, StoreErrorKind};
use crate::request::change_list::ChangeList;
use crate::request::ending::{Ended, SignedOut};
use crate::request::pending::{Flaw, guard_merge};
use crate::request::session::RequestSession;
use crate::request::slot::Slot;
use crate::telemetry;
use http_session_store::record::{Clear, OnConflict, Patch, Record, VerifierChange};
use http_session_store::{SessionId, Updated};

/// Where an awaited write goes.
enum Target {
    Insert,
    Update(SessionId),
}

/// The session as it is now, and where a write of it goes. An error if an awaited write cannot or must not write it.
fn target(slot: &Slot) -> Result<(RequestSession, Target), SaveError> {
    let Some(session) = slot.with(|session| session.clone()) else {
        return Err(SaveError::NoSession);
    };
    if let Some(flaw) = session.pending.flaw {
        return Err(WriteFailure::from(flaw).into());
    }
    // An awaited write never signs in and never rotates (R12). `clear` is checked too: after a sign-in that was taken back,
    // the fields have started afresh, which the store does only together with a new epoch (R4, R5).
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
        // Nothing is stored whose cookie cannot be sent: nobody could ever find it (R12).
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

/// Stores a new session now, with the changes of a gate if there are any.
async fn insert_now(slot: &Slot, mut session: RequestSession, changes: Option<&ChangeList>) -> Result<(), SaveError> {
    // Chosen in the slot, so that the handler sees the id under which the session is stored.
    session.pending.new_id = slot.id();
    let inserted = write::insert_session(&slot.config, slot, &mut session, Duration::ZERO).await;
    let verifier = inserted.map_err(|failure| note_unknown(slot, failure.into()))?;
    session.pending.fields = session.loaded.record.fields.clone();
    slot.with(|now| {
        // A gate's changes become the handler's only after they are stored. In another view they are not its own (R4).
        if let Some(changes) = changes.filter(|_| now.done.view == session.done.view) {
            now.take_fields(changes.apply_to(&now.pending.fields), &changes.changed());
        }
        now.inserted(&session, verifier);
    });
    Ok(())
}

/// A write whose answer was lost may have been applied, so the commit must not send the changes again: `add` would count them
/// twice (R10). The flaw makes the commit fail instead.
fn note_unknown(slot: &Slot, error: SaveError) -> SaveError {
    if matches!(&error, SaveError::Store(error) if error.kind() == StoreErrorKind::Unknown) {
        slot.with(|session| session.pending.flaw = Some(Flaw::Unknown));
    }
    error
}

/// Writes these changes now, on condition that the store still has what was loaded (R13). `view` is the view in which the
/// handle made them.
pub(crate) async fn gate(slot: Arc<Slot>, changes: ChangeList, view: u32) -> Result<(), SaveError> {
    let _turn = slot.turn().await;
    gate_now(&slot, changes, view).await.inspect_err(|error| report(&slot, error))
}

async fn gate_now(slot: &Slot, changes: ChangeList, view: u32) -> Result<(), SaveError> {
    let (mut session, target) = target(slot)?;
    // The view changed while the gate waited for its turn.
    if session.done.view != view {
        return Err(SaveError::IdentityPending);
    }
    let Target::Update(id) = target else {
        session.take_fields(changes.apply_to(&session.pending.fields), &changes.changed());
        return insert_now(slot, session, Some(&changes)).await;
    };
    // Based on the record, not on what is pending: the other changes of the request are no part of the gate.
    let mut patch = Patch::unchanged(&session.loaded.record);
    patch.result = changes.apply_to(&session.loaded.record.fields);
    changes.changed().iter().for_each(|field| patch.write(field));
    patch.on_conflict = OnConflict::Refuse;
    if !write::fits(&slot.config, &patch, &session.loaded.record) {
        return Err(SaveError::TooLarge);
    }
    // Called once, without `apply_patch`: a gate never merges and never tries again.
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
            // The handler sees what the store has, and may try its gate again on top of it.
            adopt(slot, &session, &record);
            Err(SaveError::Conflict)
        }
        Err(error) => Err(note_unknown(slot, error.into())),
    }
}

/// Moves the pending changes on top of a record that another request has written.
///
/// The merge runs the user's code, so the slot must not be locked during it. If a handle changes the session meanwhile, the
/// merge starts again.
fn adopt(slot: &Slot, session: &RequestSession, record: &Record) {
    loop {
        let Some((patch, fields)) = slot
            .with(|now| (now.done.records == session.done.records).then(|| (now.patch(), now.pending.fields.clone())))
            .flatten()
        else {
            return;
        };
        let merged = guard_merge(|| patch.merge_into(&record.fields));
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

/// Records that the handler ends the session. Done at the commit unless [`destroy`] is awaited.
pub(crate) fn ask_end(slot: &Slot) {
    // Calls the application's cookie rules, so the slot must not be locked yet.
    let cookie = cookie::first_cookie(&slot.config, slot);
    slot.with(|session| session.end(cookie));
}

/// Records a sign-out. Done at the commit unless [`sign_out`] is awaited.
pub(crate) fn ask_sign_out(slot: &Slot) {
    slot.with(|session| {
        // A superseded cookie may always sign out (R6).
        session.end_superseded();
        if session.pending.identity.is_some() {
            session.change_identity(None);
        } else if session.pending.intent == Intent::Regenerate && session.loaded.record.identity.is_some() {
            // The regenerated session has no identity, but the record that it leaves does.
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
    // With a superseded cookie, or after `destroy`, there are sessions that are still to end. `destroy` takes a turn of its
    // own.
    if session.done.endings.iter().any(|ending| ending.done.is_none()) {
        drop(turn);
        return destroy(slot).await;
    }
    // By the record, not by what is pending: the sign-out was recorded before this call.
    let Some(id) =
        session.loaded.id.as_ref().filter(|_| session.is_stored() && session.loaded.record.identity.is_some())
    else {
        return Ok(if session.done.endings.is_empty() { SignedOut::NotSignedIn } else { SignedOut::AlreadySignedOut });
    };
    if slot.config.settings.format.rotates_into_new_record() {
        // What the sign-out keeps goes on in a new record, which the commit inserts.
        let ended =
            write::end_session(&slot.config, id, session.loaded.record.epoch, Some(session.loaded.record.epoch))
                .await?;
        if ended == Ended::Destroyed {
            telemetry::signed_out(&slot.config.tags, id);
        }
        note_ended(&slot, &session, ended);
        return Ok(ended.into());
    }
    sign_out_in_place(&slot, &session, id).await
}

/// Signs out in the same record: the identity and all fields not marked `keep` go, and the verifier is new.
async fn sign_out_in_place(slot: &Slot, session: &RequestSession, id: &SessionId) -> Result<SignedOut, StoreError> {
    let (verifier, hash) = write::draw_verifier(&slot.config);
    let mut patch = session.sign_out_patch();
    patch.verifier = VerifierChange::Rotate(hash);
    match write::apply_patch(&slot.config, id, &session.loaded.record, patch, write::lifetime(&slot.config, session))
        .await
    {
        Ok(Written::Applied { fields, .. }) => {
            slot.with(|now| now.signed_out(session, verifier, hash, fields));
            Ok(SignedOut::SignedOut)
        }
        // Rotated or ended by another request. The sign-out still applies if the identity is the one that was loaded (R6).
        Ok(Written::Missing | Written::Superseded) => {
            let ended = write::end_session(&slot.config, id, session.loaded.record.epoch, None).await?;
            note_ended(slot, session, ended);
            Ok(ended.into())
        }
        Err(WriteFailure::Store(error)) => Err(error),
        Err(
            WriteFailure::Conflict
            | WriteFailure::TooLarge
            | WriteFailure::Unencodable
            | WriteFailure::Cookie
            | WriteFailure::Revoked,
        ) => Err(StoreError::new(StoreErrorKind::Refused)),
    }
}

fn note_ended(slot: &Slot, session: &RequestSession, ended: Ended) {
    // Calls the application's cookie rules, so the slot must not be locked yet.
    let cookie = cookie::first_cookie(&slot.config, slot);
    slot.with(|now| {
        if now.done.records == session.done.records {
            now.ended(session.done.view, ended, cookie);
        }
    });
}

/// Ends now the sessions that the handler has ended. The answer is that of the last one.
pub(crate) async fn destroy(slot: Arc<Slot>) -> Result<SignedOut, StoreError> {
    let _turn = slot.turn().await;
    let endings = slot.with(|session| session.done.endings.clone()).unwrap_or_default();
    let mut answer = if endings.is_empty() { SignedOut::NotSignedIn } else { SignedOut::AlreadySignedOut };
    for (position, ending) in endings.into_iter().enumerate().filter(|(_, ending)| ending.done.is_none()) {
        let ended = write::end_session(&slot.config, &ending.id, ending.claimed, ending.loaded).await?;
        // Noted after each, not at the end: if the next one fails, the commit must not end this one again. The position is
        // stable, because endings are only ever added.
        slot.with(|now| {
            if let Some(ending) = now.done.endings.get_mut(position) {
                ending.done.get_or_insert(ended);
            }
        });
        answer = match ended {
            // The session of a visitor: it was destroyed, but nobody was signed in.
            Ended::Destroyed if ending.loaded.is_some() && !ending.was_signed_in => SignedOut::NotSignedIn,
            ended => ended.into(),
        };
    }
    Ok(answer)
}

/// Reads the session again, and forgets the changes that are not written yet.
pub(crate) async fn reload(slot: Arc<Slot>) -> Result<(), SaveError> {
    let _turn = slot.turn().await;
    let Some(session) = slot.with(|session| session.clone()) else {
        return Err(SaveError::NoSession);
    };
    let Some(id) = session.loaded.id.as_ref().filter(|_| session.is_stored()) else {
        return Err(SaveError::Missing);
    };
    let record = store_call::load(&slot.config, id).await?.ok_or(SaveError::Missing)?;
    // The record may be another user's by now (R4).
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
