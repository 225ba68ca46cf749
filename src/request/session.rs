//! The session of one request: what was loaded, what is pending, what is done. Pure: no clock, no randomness, no IO.

use std::mem;

use super::done::Done;
use super::ending::{Ended, Ending};
use super::loaded::Loaded;
use super::pending::Pending;
use crate::decide::{Intent, Origin, Sign};
use http_session_store::record::{Clear, Field, Fields, IdentityChange, Patch, RawJson, Record};

/// The session of one request, in four parts: what the store answered, what the request changed, what awaited calls have
/// already done, and two facts of the request itself.
///
/// A change of identity sets [`Pending::sign`], [`Pending::clear`] and the intent. The change of the record follows from
/// them:
///
/// | the handler | `sign` | `clear` | [`identity_change`](Self::identity_change) | intent |
/// |---|---|---|---|---|
/// | signs a visitor in | `In` | `SignIn` | `Set` | `Rotate` |
/// | signs in another user | `In` | `Identity` | `Set` | `Rotate` |
/// | signs in the same user again | `In` | as before | `Affirmed` | `Rotate` |
/// | signs out | `Out` | `Identity` | `Removed` | `Rotate` |
/// | signs out, then in | `OutIn` | `Identity` | `Set` | `Rotate` |
/// | signs in a visitor, then out | `Unchanged` | `Identity` | `Unchanged` | `Rotate` |
///
/// The decision turns intent, sign and the status of the response into a store action. The new verifier is not drawn before
/// the commit.
#[derive(Clone)]
pub(crate) struct RequestSession {
    pub(crate) loaded: Loaded,
    pub(crate) pending: Pending,
    pub(crate) done: Done,
    /// The request does not count as activity.
    pub(crate) passive: bool,
    /// The handler asks for a touch, whether one is due or not.
    pub(crate) touch: bool,
}

impl RequestSession {
    /// A session with this record and nothing pending.
    pub(crate) fn new(origin: Origin, record: Record) -> Self {
        Self {
            pending: Pending::on(&record),
            loaded: Loaded::new(origin, record),
            done: Done::default(),
            passive: false,
            touch: false,
        }
    }

    /// Turns a new session into the stored session that was found.
    pub(crate) fn found(&mut self, record: Record) {
        self.pending = Pending::on(&record);
        self.loaded.origin = Origin::Found;
        self.loaded.record = record;
    }

    /// Whether the session has a record in the store.
    pub(crate) fn is_stored(&self) -> bool {
        self.loaded.origin == Origin::Found || self.done.saved
    }

    /// Whether the session has a record in the store, and keeps this record and its identity.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_stored() && self.pending.sign == Sign::Unchanged && self.pending.intent <= Intent::Rotate
    }

    /// Whether the session that the handler works on has no record yet. The request may have presented another session.
    pub(crate) fn begins_record(&self) -> bool {
        self.pending.intent == Intent::Regenerate || !self.is_stored()
    }

    /// Whether the commit rotates the session: it gives the record a new verifier or, in the express format, the session a
    /// new record.
    pub(crate) fn rotates(&self) -> bool {
        self.pending.intent == Intent::Rotate
    }

    /// Takes the fields that a handle changed, already merged with the changes of other handles.
    pub(crate) fn take_fields(&mut self, fields: Fields, changed: &[&'static Field]) {
        self.pending.replace_fields(fields, changed);
        if !self.pending.touched.is_empty() {
            self.pending.modified = true;
            self.pending.begin_again();
        } else if !self.done.saved && self.pending.clear == Clear::Nothing && self.pending.fields == self.pending.base {
            self.pending.modified = false;
        }
    }

    /// Changes the identity: to the first, to another, or to nobody. The session rotates, and the other fields start afresh
    /// (R5).
    pub(crate) fn change_identity(&mut self, identity: Option<RawJson>) {
        let pending = &mut self.pending;
        let clear = match (&pending.identity, &identity) {
            (None, Some(_)) => Clear::SignIn,
            _ => Clear::Identity,
        };
        // Never back to a weaker clearing: a second change of identity in this request must not bring fields back.
        pending.clear = pending.clear.max(clear);
        pending.clear_fields(clear);
        if clear == Clear::Identity {
            // "Remember me" belongs to the user who asked for it.
            pending.set_cookie(self.loaded.fresh_cookie.clone());
        }
        pending.sign = match (&identity, pending.sign) {
            // The sign-out is remembered, because it is committed even if the sign-in is not (R11).
            (Some(_), Sign::Out | Sign::OutIn) => Sign::OutIn,
            (Some(_), Sign::Unchanged | Sign::In) => Sign::In,
            (None, _) if self.loaded.record.identity.is_some() => Sign::Out,
            // The record has no identity: a sign-in of this request was taken back.
            (None, _) => Sign::Unchanged,
        };
        pending.modified = pending.sign != Sign::Unchanged || pending.fields != pending.base;
        if identity.is_some() {
            pending.begin_again();
        }
        pending.identity = identity;
        // A ticket is for one sign-in. `sign_in_with` sets its own after this.
        pending.ticket = None;
        pending.ask(Intent::Rotate);
        self.done.begin_view();
    }

    /// Signs the same identity in again: a new verifier and a new age, with the same fields.
    pub(crate) fn affirm_identity(&mut self) {
        // A pending sign-out or switch to another user stays what it is.
        if self.pending.sign == Sign::Unchanged {
            self.pending.sign = Sign::In;
        }
        self.pending.ask(Intent::Rotate);
    }

    /// What a write of all pending changes does to the identity of the record.
    pub(crate) fn identity_change(&self) -> IdentityChange {
        let Pending { sign, identity, clear, intent, .. } = &self.pending;
        match (sign, identity) {
            // The fields were not cleared, so this user was signed in before. After A, B and A again it is `Set`.
            (Sign::In, Some(_)) if *clear == Clear::Nothing && *identity == self.loaded.record.identity => {
                IdentityChange::Affirmed
            }
            (Sign::In | Sign::OutIn, Some(identity)) => IdentityChange::Set(identity.clone()),
            // A regenerated session begins without an identity. The sign-out concerns the record that it leaves.
            (Sign::Out, _) if *intent != Intent::Regenerate => IdentityChange::Removed,
            (Sign::Unchanged | Sign::In | Sign::Out | Sign::OutIn, _) => IdentityChange::Unchanged,
        }
    }

    /// The identity that signs in with the next write, if any (R28).
    pub(crate) fn entering(&self) -> Option<&RawJson> {
        match self.pending.sign {
            Sign::In | Sign::OutIn => self.pending.identity.as_ref(),
            Sign::Unchanged | Sign::Out => None,
        }
    }

    /// Drops everything that is pending, so that the session is as its record.
    pub(super) fn reset(&mut self) {
        let Pending { cookie_changed, cookie_unsent, modified, new_id, .. } = &self.pending;
        self.pending = Pending {
            // Attributes that an awaited call has stored are still to be sent to the browser.
            cookie_unsent: *cookie_unsent && !*cookie_changed,
            modified: *modified && self.done.saved,
            new_id: new_id.clone(),
            ..Pending::on(&self.loaded.record)
        };
        self.done.begin_view();
        // Not a change of the handler, so it is not dropped.
        self.secure();
    }

    /// Secures the session at its first use over https: Secure from now on, and a verifier that was never sent in the clear
    /// (R19).
    pub(crate) fn secure(&mut self) {
        if let Some(cookie) = &self.loaded.secured {
            self.pending.cookie = Some(cookie.clone());
            self.pending.cookie_changed = true;
            self.pending.ask(Intent::Rotate);
        }
    }

    /// Forgets the pending changes, except a sign-out or the end of the session: those do not wait for the rest (R11).
    pub(crate) fn discard(&mut self) {
        let (intent, sign) = (self.pending.intent, self.pending.sign);
        self.reset();
        match (intent, sign) {
            (Intent::Destroy, _) => self.pending.intent = Intent::Destroy,
            (_, Sign::Out | Sign::OutIn) => self.change_identity(None),
            (_, Sign::Unchanged | Sign::In) => {}
        }
    }

    /// Begins afresh, in a new record without fields or identity (R17). A sign-out that was asked for stays pending (R11).
    pub(crate) fn regenerate(&mut self, cookie: Option<RawJson>) {
        let sign = self.pending.sign;
        self.reset();
        self.pending.sign = match sign {
            Sign::Out | Sign::OutIn => Sign::Out,
            Sign::Unchanged | Sign::In => Sign::Unchanged,
        };
        self.pending.intent = Intent::Regenerate;
        self.pending.new_id = None;
        self.pending.base = Fields::EMPTY;
        self.pending.fields = Fields::EMPTY;
        self.pending.identity = None;
        self.pending.cookie = cookie;
        self.pending.modified = true;
    }

    /// Ends the session: notes the presented session, and goes on with a session that is not stored (R11).
    pub(crate) fn end(&mut self, cookie: Option<RawJson>) {
        self.done.endings.extend(self.endable());
        self.done.endings.extend(self.superseded());
        self.begin_afresh(cookie);
        self.pending.intent = Intent::Destroy;
    }

    /// Signs out with a superseded cookie: notes the session that the cookie may end (R6). The request goes on with its own.
    pub(crate) fn end_superseded(&mut self) {
        let superseded = self.superseded();
        self.done.endings.extend(superseded);
        // So that a second sign-out does not note it again.
        self.loaded.superseded = None;
    }

    /// The session of a superseded cookie, to end it.
    fn superseded(&self) -> Option<Ending> {
        let (id, claimed) = self.loaded.superseded.clone()?;
        Some(Ending { origin: Origin::Late, id, claimed, loaded: None, was_signed_in: false, cookie: None, done: None })
    }

    /// The record of this session, to end it. `None` if it is not stored.
    pub(crate) fn endable(&self) -> Option<Ending> {
        let id = self.loaded.id.clone().filter(|_| self.is_stored())?;
        Some(Ending {
            origin: self.loaded.origin,
            id,
            claimed: self.loaded.record.epoch,
            loaded: Some(self.loaded.record.epoch),
            was_signed_in: self.loaded.record.identity.is_some(),
            cookie: self.loaded.record.cookie.clone(),
            done: None,
        })
    }

    /// Leaves the record, and goes on with a session that is not stored and has nothing pending.
    fn begin_afresh(&mut self, cookie: Option<RawJson>) {
        self.leave_record(cookie);
        self.reset();
    }

    /// Leaves the record. What is pending stays, except the chosen id: an insert that is still under way may be using it.
    fn leave_record(&mut self, cookie: Option<RawJson>) {
        self.loaded.leave(cookie);
        self.done.leave_record();
        self.pending.new_id = None;
    }

    /// An awaited sign-out has ended the record. What it keeps, or what began while it was under way, goes on in a new
    /// record.
    pub(crate) fn ended(&mut self, view: u32, ended: Ended, cookie: Option<RawJson>) {
        self.done.endings.extend(self.endable().map(|ending| Ending { done: Some(ended), ..ending }));
        if self.done.view == view {
            // Nothing has begun since. The intent is to destroy, unless the sign-out keeps fields.
            let fields = mem::take(&mut self.pending.fields);
            self.begin_afresh(cookie);
            self.pending.intent = Intent::Destroy;
            // Of a session that another request has ended or taken over, nothing is kept: the fields may be another user's
            // (R4).
            if ended == Ended::Destroyed && !fields.is_empty() {
                self.pending.fields = fields;
                self.pending.modified = true;
                self.pending.begin_again();
            }
        } else {
            // The handler has changed the identity since. Its changes stay, and become those of a new record.
            self.leave_record(cookie);
            self.pending.base = Fields::EMPTY;
            self.pending.clear = Clear::Nothing;
            // The sign-out part is done.
            if self.pending.sign == Sign::OutIn {
                self.pending.sign = Sign::In;
            }
        }
    }

    /// Forgets cookie attributes that are not stored yet. A session that is not stored has no others.
    pub(crate) fn discard_cookie(&mut self) {
        if self.is_stored() {
            self.pending.forget_cookie(self.loaded.record.cookie.as_ref());
        }
    }

    /// The patch of all pending changes, without a new verifier.
    pub(crate) fn patch(&self) -> Patch {
        let mut patch = Patch::unchanged(&self.loaded.record);
        patch.result = self.pending.with_fillers();
        self.pending.touched.iter().for_each(|field| patch.write(field));
        self.pending.absent().for_each(|(field, _)| patch.fill(field));
        patch.clear = self.pending.clear;
        patch.identity = self.identity_change();
        patch.cookie = self.pending.cookie_changed.then(|| self.pending.cookie.clone());
        patch
    }

    /// The patch of a sign-out alone: it removes the identity and clears fields, and contains no other change of the request.
    pub(crate) fn sign_out_patch(&self) -> Patch {
        let kept: Fields = self.loaded.record.fields.iter().filter(|field| Clear::Identity.keeps(field.keep)).collect();
        let mut patch = Patch::unchanged(&self.loaded.record);
        patch.base = kept.clone();
        patch.result = kept;
        patch.clear = Clear::Identity;
        patch.identity = IdentityChange::Removed;
        patch.cookie =
            (self.loaded.record.cookie != self.loaded.fresh_cookie).then(|| self.loaded.fresh_cookie.clone());
        patch
    }

    /// Keeps only the fields that this request has changed, for a new session in place of a session that is gone (R11).
    pub(crate) fn keep_own_fields(&mut self, cookie: Option<RawJson>) {
        self.loaded.id = None;
        // Attributes that the handler has set ("remember me") go along.
        if !self.pending.cookie_unsent {
            self.pending.cookie = cookie;
        }
        self.pending.fields = self
            .pending
            .fields
            .iter()
            .filter(|field| self.pending.touched.iter().any(|own| own.name == field.name))
            .collect();
    }
}

#[cfg(test)]
mod tests;
