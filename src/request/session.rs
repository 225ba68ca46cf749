//! The session of one request: what was loaded, what is pending, what is done. Pure: no clock, no randomness, no IO.

use http_session_store::record::{Clear, Field, Fields, IdentityChange, Patch, RawJson, Record};

use super::done::Done;
use super::ending::{Ended, Ending};
use super::loaded::Loaded;
use super::pending::Pending;
use crate::decide::{Intent, Origin, Sign};

/// The session of one request, in four parts: what the store answered, what the request changed, what awaited calls have
/// already done, and two facts of the request itself.
///
/// A change of identity shows in several of them. [`Pending::sign`] and [`Pending::clear`] are remembered; the rest follows:
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
/// The decision turns intent, sign and the response's status into a store action. Only the commit draws the new verifier.
#[derive(Clone)]
pub(crate) struct RequestSession {
    pub(crate) loaded: Loaded,
    pub(crate) pending: Pending,
    pub(crate) done: Done,
    /// The request does not count as activity.
    pub(crate) passive: bool,
    /// The handler asks for a touch, due or not.
    pub(crate) touch: bool,
}

impl RequestSession {
    /// An anonymous session that is not stored.
    pub(crate) fn new(origin: Origin, record: Record) -> Self {
        Self {
            pending: Pending::on(&record),
            loaded: Loaded::new(origin, record),
            done: Done::default(),
            passive: false,
            touch: false,
        }
    }

    /// A stored session takes the place of a new one.
    pub(crate) fn found(&mut self, record: Record) {
        self.pending = Pending::on(&record);
        self.loaded.origin = Origin::Found;
        self.loaded.record = record;
    }

    /// Whether the session is in the store.
    pub(crate) fn is_stored(&self) -> bool {
        self.loaded.origin == Origin::Found || self.done.saved
    }

    /// Whether the record is in the store, and stays this session's record under this identity.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_stored() && self.pending.sign == Sign::Unchanged && self.pending.intent <= Intent::Rotate
    }

    /// Whether the handler works on a session that has no record yet: a new one, also beside or after the one presented.
    pub(crate) fn begins_record(&self) -> bool {
        self.pending.intent == Intent::Regenerate || !self.is_stored()
    }

    /// Whether the response gives the record a new verifier, or the session a new record, if it commits.
    pub(crate) fn rotates(&self) -> bool {
        self.pending.intent == Intent::Rotate
    }

    /// Takes the fields that a handle changed, joined with what other handles changed meanwhile.
    pub(crate) fn take_fields(&mut self, fields: Fields, changed: &[&'static Field]) {
        self.pending.replace_fields(fields, changed);
        if !self.pending.touched.is_empty() {
            self.pending.modified = true;
            self.pending.begin_again();
        } else if !self.done.saved && self.pending.clear == Clear::Nothing && self.pending.fields == self.pending.base {
            self.pending.modified = false;
        }
    }

    /// Another identity, the first, or nobody: the session rotates and the other fields start afresh (R5).
    pub(crate) fn change_identity(&mut self, identity: Option<RawJson>) {
        let pending = &mut self.pending;
        let clear = match (&pending.identity, &identity) {
            (None, Some(_)) => Clear::SignIn,
            _ => Clear::Identity,
        };
        pending.clear = pending.clear.max(clear);
        pending.clear_fields(clear);
        if clear == Clear::Identity {
            // A "remember me" goes with the user who asked for it.
            pending.set_cookie(self.loaded.fresh_cookie.clone());
        }
        pending.sign = match (&identity, pending.sign) {
            (Some(_), Sign::Out | Sign::OutIn) => Sign::OutIn,
            (Some(_), Sign::Unchanged | Sign::In) => Sign::In,
            (None, _) if self.loaded.record.identity.is_some() => Sign::Out,
            // A sign-in of this request that was taken back.
            (None, _) => Sign::Unchanged,
        };
        pending.modified = pending.sign != Sign::Unchanged || pending.fields != pending.base;
        if identity.is_some() {
            pending.begin_again();
        }
        pending.identity = identity;
        pending.ticket = None;
        pending.ask(Intent::Rotate);
        self.done.begin_view();
    }

    /// The same identity again: a new verifier, a new age, the same fields.
    pub(crate) fn affirm_identity(&mut self) {
        if self.pending.sign == Sign::Unchanged {
            self.pending.sign = Sign::In;
        }
        self.pending.ask(Intent::Rotate);
    }

    /// What the next write of everything does to the record's identity.
    pub(crate) fn identity_change(&self) -> IdentityChange {
        let Pending { sign, identity, clear, intent, .. } = &self.pending;
        match (sign, identity) {
            // The fields were not cleared, so it is the user who was signed in before.
            (Sign::In, Some(_)) if *clear == Clear::Nothing && *identity == self.loaded.record.identity => {
                IdentityChange::Affirmed
            }
            (Sign::In | Sign::OutIn, Some(identity)) => IdentityChange::Set(identity.clone()),
            // A regenerated session begins without an identity; the sign-out concerns the record that it leaves.
            (Sign::Out, _) if *intent != Intent::Regenerate => IdentityChange::Removed,
            (Sign::Unchanged | Sign::In | Sign::Out | Sign::OutIn, _) => IdentityChange::Unchanged,
        }
    }

    /// The identity with which this session's next record is written, if that is a sign-in (R28).
    pub(crate) fn entering(&self) -> Option<&RawJson> {
        match self.pending.sign {
            Sign::In | Sign::OutIn => self.pending.identity.as_ref(),
            Sign::Unchanged | Sign::Out => None,
        }
    }

    /// Nothing is pending: the session is as its record.
    pub(super) fn reset(&mut self) {
        let Pending { cookie_changed, cookie_unsent, modified, new_id, .. } = &self.pending;
        self.pending = Pending {
            // The browser does not have attributes yet that an awaited call has stored.
            cookie_unsent: *cookie_unsent && !*cookie_changed,
            modified: *modified && self.done.saved,
            new_id: new_id.clone(),
            ..Pending::on(&self.loaded.record)
        };
        self.done.begin_view();
        self.secure();
    }

    /// The first use over https: Secure from now on, and a verifier that was never sent in the clear (R19).
    pub(crate) fn secure(&mut self) {
        if let Some(cookie) = &self.loaded.secured {
            self.pending.cookie = Some(cookie.clone());
            self.pending.cookie_changed = true;
            self.pending.ask(Intent::Rotate);
        }
    }

    /// Forgets what this request changed and nobody wrote yet, but for a sign-out or an end: those are not taken back (R11).
    pub(crate) fn discard(&mut self) {
        let (intent, sign) = (self.pending.intent, self.pending.sign);
        self.reset();
        match (intent, sign) {
            (Intent::Destroy, _) => self.pending.intent = Intent::Destroy,
            (_, Sign::Out | Sign::OutIn) => self.change_identity(None),
            (_, Sign::Unchanged | Sign::In) => {}
        }
    }

    /// Begins afresh in a new record (R17). A sign-out that was asked for is done whatever becomes of this (R11).
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

    /// Ends the session: what is there now is noted down, and the request goes on with none (R11).
    pub(crate) fn end(&mut self, cookie: Option<RawJson>) {
        self.done.endings.extend(self.endable());
        self.done.endings.extend(self.claim());
        self.begin_afresh(cookie);
        self.pending.intent = Intent::Destroy;
    }

    /// Signs out with a superseded cookie: what it may end is noted down; the request itself has no part in that session.
    pub(crate) fn end_claim(&mut self) {
        let claim = self.claim();
        self.done.endings.extend(claim);
        self.loaded.claim = None;
    }

    fn claim(&self) -> Option<Ending> {
        let (id, claimed) = self.loaded.claim.clone()?;
        Some(Ending { origin: Origin::Late, id, claimed, loaded: None, identity: false, cookie: None, done: None })
    }

    /// The record that this request has, to end it.
    pub(crate) fn endable(&self) -> Option<Ending> {
        let id = self.loaded.id.clone().filter(|_| self.is_stored())?;
        Some(Ending {
            origin: self.loaded.origin,
            id,
            claimed: self.loaded.record.epoch,
            loaded: Some(self.loaded.record.epoch),
            identity: self.loaded.record.identity.is_some(),
            cookie: self.loaded.record.cookie.clone(),
            done: None,
        })
    }

    /// The record is left behind; the request goes on with a session that is not stored.
    fn begin_afresh(&mut self, cookie: Option<RawJson>) {
        self.leave_record(cookie);
        self.reset();
    }

    fn leave_record(&mut self, cookie: Option<RawJson>) {
        self.loaded.leave(cookie);
        self.done.leave_record();
        self.pending.new_id = None;
    }

    /// An awaited sign-out has ended the record. What it keeps, or what began while it was under way, goes on in a new one.
    pub(crate) fn ended(&mut self, view: u32, ended: Ended, cookie: Option<RawJson>) {
        self.done.endings.extend(self.endable().map(|ending| Ending { done: Some(ended), ..ending }));
        if self.done.view == view {
            let fields = std::mem::take(&mut self.pending.fields);
            self.begin_afresh(cookie);
            self.pending.intent = Intent::Destroy;
            if ended == Ended::Destroyed && !fields.is_empty() {
                self.pending.fields = fields;
                self.pending.modified = true;
                self.pending.begin_again();
            }
        } else {
            self.leave_record(cookie);
            self.pending.base = Fields::EMPTY;
            self.pending.clear = Clear::Nothing;
            if self.pending.sign == Sign::OutIn {
                self.pending.sign = Sign::In;
            }
        }
    }

    /// Forgets the cookie attributes that nobody wrote yet.
    pub(crate) fn discard_cookie(&mut self) {
        if self.is_stored() {
            self.pending.forget_cookie(self.loaded.record.cookie.as_ref());
        }
    }

    /// The pending patch, without its new verifier.
    pub(crate) fn patch(&self) -> Patch {
        let mut patch = Patch::unchanged(&self.loaded.record);
        patch.result = self.pending.with_fillers();
        patch.touched.clone_from(&self.pending.touched);
        patch.filled = self.pending.absent().map(|(field, _)| *field).collect();
        patch.clear = self.pending.clear;
        patch.identity = self.identity_change();
        patch.cookie = self.pending.cookie_changed.then(|| self.pending.cookie.clone());
        patch
    }

    /// The patch of a sign-out alone: the identity and what goes with it, none of the request's other changes.
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

    /// Leaves only the fields that this request wrote, for a new session in the place of one that is gone (R11).
    pub(crate) fn keep_own_fields(&mut self, cookie: Option<RawJson>) {
        self.loaded.id = None;
        // What the handler gave it ("remember me") goes along.
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
