//! Stage 5: what this request changed, as one pending patch. Pure: no clock, no randomness, no IO.

use smallvec::SmallVec;

use crate::csrf::Subject;
use crate::decide::{Intent, Origin, Sign};
use crate::record::{Clear, Epoch, Field, Fields, IdentityChange, Patch, RawJson, Record, StoredField, VerifierHash};
use crate::session::ticket::Pass;
use crate::store::SessionId;
use crate::token::VERIFIER_BYTES;

/// A verifier in the clear, on its way into a cookie.
pub(crate) type Verifier = [u8; VERIFIER_BYTES];

/// The cookie's secret half, as far as this request knows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented {
    /// None.
    Nothing,
    /// The record's current verifier.
    Current(Verifier),
    /// The one before, within its grace.
    Previous,
}

/// Why this request's changes can no longer be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A value does not serialise.
    Unencodable,
    /// Two handles of one request changed a field whose rule refuses to join them.
    Conflict,
    /// An awaited write's answer was lost: it is not sent again (R10).
    Unknown,
}

/// What became of a session that was to end (R6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Destroyed,
    /// Nobody is signed in there any more.
    Already,
    /// Somebody else is.
    Superseded,
}

/// A session that this request ends.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(crate) origin: Origin,
    pub(crate) id: SessionId,
    /// The epoch whose identity may be ended (R6).
    pub(crate) claimed: Epoch,
    /// The record's epoch, if the cookie fitted it.
    pub(crate) loaded: Option<Epoch>,
    /// Whether somebody was signed in, as far as the request could see.
    pub(crate) identity: bool,
    /// The own attributes of the cookie that the browser has.
    pub(crate) cookie: Option<RawJson>,
    /// What an awaited call found.
    pub(crate) done: Option<Ended>,
}

/// The session of one request: the record as loaded, the record as it would be written now, and what was asked of it.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) origin: Origin,
    /// The id of the record in the store.
    pub(crate) id: Option<SessionId>,
    /// The id under which the next insert will store the session; chosen when somebody asks for it.
    pub(crate) new_id: Option<SessionId>,
    /// What a superseded cookie says: the session that it may still end (R6).
    pub(crate) claim: Option<(SessionId, Epoch)>,
    pub(crate) presented: Presented,
    /// What tokens against CSRF must fit in this request, whatever becomes of the session (R24).
    pub(crate) subject: Option<Subject>,
    /// Signed with a previous secret.
    pub(crate) resign: bool,
    /// The record as loaded, or as last written by this request: the base of the patch.
    pub(crate) record: Record,
    /// Live sessions that were presented together (R3).
    pub(crate) tossed: Vec<(SessionId, Epoch)>,

    /// The record's fields, less what a change of identity clears.
    pub(crate) base: Fields,
    pub(crate) fields: Fields,
    pub(crate) identity: Option<RawJson>,
    pub(crate) cookie: Option<RawJson>,
    /// Not in the store yet.
    pub(crate) cookie_changed: bool,
    /// Not on its way to the browser yet.
    pub(crate) cookie_unsent: bool,
    /// The cookie attributes with which the session of another identity begins.
    pub(crate) fresh_cookie: Option<RawJson>,
    /// The cookie attributes of a session that was born on http and is used over https for the first time (R19).
    pub(crate) secured: Option<RawJson>,
    pub(crate) touched: SmallVec<[&'static Field; 4]>,
    /// Required fields that were never stored, to go along with the next write.
    pub(crate) fillers: Vec<(&'static Field, Vec<u8>)>,
    pub(crate) clear: Clear,
    pub(crate) identity_change: IdentityChange,
    /// The ticket of this request's sign-in (R28).
    pub(crate) pass: Option<Pass>,

    pub(crate) intent: Intent,
    pub(crate) sign: Sign,
    /// Raised when what older handles computed no longer belongs here (R4).
    pub(crate) view: u32,
    /// Raised when the request leaves its record behind.
    pub(crate) records: u32,
    pub(crate) modified: bool,
    pub(crate) saved: bool,
    pub(crate) flaw: Option<Flaw>,
    /// A verifier that an awaited call has stored, and that must go out whatever becomes of the response (R12).
    pub(crate) stored_verifier: Option<Verifier>,
    /// The sessions that the handler has ended. As long as the intent is to destroy, nothing has begun since.
    pub(crate) endings: Vec<Ending>,
    pub(crate) passive: bool,
    pub(crate) touch: bool,
}

impl Live {
    /// An anonymous session on nothing.
    pub(crate) fn new(origin: Origin, record: Record) -> Self {
        Self {
            origin,
            id: None,
            new_id: None,
            claim: None,
            presented: Presented::Nothing,
            subject: None,
            resign: false,
            base: record.fields.clone(),
            fields: record.fields.clone(),
            identity: record.identity.clone(),
            cookie: record.cookie.clone(),
            record,
            tossed: Vec::new(),
            cookie_changed: false,
            cookie_unsent: false,
            fresh_cookie: None,
            secured: None,
            touched: SmallVec::new(),
            fillers: Vec::new(),
            clear: Clear::Nothing,
            identity_change: IdentityChange::Unchanged,
            pass: None,
            intent: Intent::Keep,
            sign: Sign::Unchanged,
            view: 0,
            records: 0,
            modified: false,
            saved: false,
            flaw: None,
            stored_verifier: None,
            endings: Vec::new(),
            passive: false,
            touch: false,
        }
    }

    /// A stored session takes the place of a new one.
    pub(crate) fn found(&mut self, record: Record) {
        self.origin = Origin::Found;
        self.base = record.fields.clone();
        self.fields = record.fields.clone();
        self.identity.clone_from(&record.identity);
        self.cookie.clone_from(&record.cookie);
        self.record = record;
    }

    /// Whether the session is in the store.
    pub(crate) fn is_stored(&self) -> bool {
        self.origin == Origin::Found || self.saved
    }

    /// Whether the record is in the store, and stays this session's record under this identity.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_stored() && self.sign == Sign::Unchanged && self.intent <= Intent::Rotate
    }

    /// Whether the handler works on a session that has no record yet: a new one, also beside or after the one presented.
    pub(crate) fn begins_record(&self) -> bool {
        self.intent == Intent::Regenerate || !self.is_stored()
    }

    /// Whether the response gives the record a new verifier, or the session a new record, if it commits.
    pub(crate) fn rotates(&self) -> bool {
        self.intent == Intent::Rotate
    }

    /// Whether fields wait to be written.
    pub(crate) fn is_pending(&self) -> bool {
        self.touched.iter().any(|field| self.base.read(field) != self.fields.read(field))
    }

    /// Raises the intent; the strongest wins.
    pub(crate) fn ask(&mut self, intent: Intent) {
        self.intent = self.intent.max(intent);
    }

    /// Something is to be kept again, after the session was ended.
    fn begin_again(&mut self) {
        if self.intent == Intent::Destroy {
            self.intent = Intent::Keep;
        }
    }

    /// Takes the fields that a handle changed, joined with what other handles changed meanwhile.
    pub(crate) fn take_fields(&mut self, fields: Fields, changed: &[&'static Field]) {
        for &field in changed {
            if !self.touched.iter().any(|touched| touched.name == field.name) {
                self.touched.push(field);
            }
        }
        self.fields = fields;
        self.forget_unchanged();
        if !self.touched.is_empty() {
            self.modified = true;
            self.begin_again();
        } else if !self.saved && self.clear == Clear::Nothing && self.fields == self.base {
            self.modified = false;
        }
    }

    /// Back to the base is no change.
    pub(super) fn forget_unchanged(&mut self) {
        let (base, now) = (&self.base, &self.fields);
        self.touched.retain(|field| base.read(field) != now.read(field));
        self.fillers.retain(|(field, _)| base.read(field).is_none());
    }

    /// Another identity, the first, or none: the session rotates and the other fields start afresh (R5).
    pub(crate) fn change_identity(&mut self, identity: Option<RawJson>) {
        let clear = match (&self.identity, &identity) {
            (None, Some(_)) => Clear::SignIn,
            _ => Clear::Identity,
        };
        self.clear = self.clear.max(clear);
        self.keep_fields(clear);
        if clear == Clear::Identity {
            // A "remember me" goes with who asked for it.
            self.cookie_changed |= self.cookie != self.fresh_cookie;
            self.cookie_unsent |= self.cookie != self.fresh_cookie;
            self.cookie.clone_from(&self.fresh_cookie);
        }
        (self.sign, self.identity_change) = match (&identity, self.sign) {
            (Some(raw), Sign::Out | Sign::OutIn) => (Sign::OutIn, IdentityChange::Set(raw.clone())),
            (Some(raw), Sign::Unchanged | Sign::In) => (Sign::In, IdentityChange::Set(raw.clone())),
            (None, _) if self.record.identity.is_some() => (Sign::Out, IdentityChange::Removed),
            // A sign-in of this request that was taken back.
            (None, _) => (Sign::Unchanged, IdentityChange::Unchanged),
        };
        self.modified = self.sign != Sign::Unchanged || self.fields != self.base;
        if identity.is_some() {
            self.begin_again();
        }
        self.identity = identity;
        self.pass = None;
        self.ask(Intent::Rotate);
        self.view = self.view.wrapping_add(1);
    }

    /// The same identity again: a new verifier, a new age, the same fields.
    pub(crate) fn affirm_identity(&mut self) {
        if self.sign == Sign::Unchanged {
            self.sign = Sign::In;
        }
        if self.identity_change == IdentityChange::Unchanged {
            self.identity_change = IdentityChange::Affirmed;
        }
        self.ask(Intent::Rotate);
    }

    /// The identity with which this session's next record is written, if that is a sign-in (R28).
    pub(crate) fn entering(&self) -> Option<&RawJson> {
        match self.identity_change {
            IdentityChange::Set(_) | IdentityChange::Affirmed => self.identity.as_ref(),
            IdentityChange::Unchanged | IdentityChange::Removed => None,
        }
    }

    /// Drops the fields that this change of identity does not keep. When an anonymous visitor signs in, what this request
    /// changed stays too.
    fn keep_fields(&mut self, clear: Clear) {
        let stays = |field: &StoredField<'_>| {
            clear.keeps(field.keep)
                || (clear == Clear::SignIn && self.touched.iter().any(|touched| touched.name == field.name))
        };
        self.fields = self.fields.iter().filter(stays).collect();
        self.base = self.base.iter().filter(|field| clear.keeps(field.keep)).collect();
        // A field that was marked in the record, but is not as this request wrote it, goes from the record too.
        let (base, now) = (&self.base, &self.fields);
        self.touched.retain(|field| now.find(field.name).is_some() || base.read(field).is_some());
        self.fillers.retain(|(field, _)| clear.keeps(field.keep) || clear == Clear::SignIn);
    }

    /// Nothing is pending: the session is as its record. The one place that knows all that can be pending.
    pub(super) fn reset(&mut self) {
        self.base = self.record.fields.clone();
        self.fields = self.record.fields.clone();
        self.identity.clone_from(&self.record.identity);
        self.forget_cookie();
        self.touched.clear();
        self.fillers.clear();
        self.clear = Clear::Nothing;
        self.identity_change = IdentityChange::Unchanged;
        self.pass = None;
        self.intent = Intent::Keep;
        self.sign = Sign::Unchanged;
        self.flaw = None;
        self.modified &= self.saved;
        self.view = self.view.wrapping_add(1);
        self.secure();
    }

    /// The first use over https: Secure from now on, and a verifier that was never sent in the clear (R19).
    pub(crate) fn secure(&mut self) {
        if let Some(cookie) = &self.secured {
            self.cookie = Some(cookie.clone());
            self.cookie_changed = true;
            self.ask(Intent::Rotate);
        }
    }

    /// Forgets what this request changed and nobody wrote yet, but for a sign-out or an end: those are not taken back (R11).
    pub(crate) fn discard(&mut self) {
        let (intent, sign) = (self.intent, self.sign);
        self.reset();
        match (intent, sign) {
            (Intent::Destroy, _) => self.intent = Intent::Destroy,
            (_, Sign::Out | Sign::OutIn) => self.change_identity(None),
            (_, Sign::Unchanged | Sign::In) => {}
        }
    }

    /// Begins afresh in a new record (R17). A sign-out that was asked for is done whatever becomes of this (R11).
    pub(crate) fn regenerate(&mut self, cookie: Option<RawJson>) {
        let sign = self.sign;
        self.reset();
        self.sign = match sign {
            Sign::Out | Sign::OutIn => Sign::Out,
            Sign::Unchanged | Sign::In => Sign::Unchanged,
        };
        self.intent = Intent::Regenerate;
        self.new_id = None;
        self.base = Fields::EMPTY;
        self.fields = Fields::EMPTY;
        self.identity = None;
        self.cookie = cookie;
        self.modified = true;
    }

    /// Ends the session: what is there now is noted down, and the request goes on with none (R11).
    pub(crate) fn end(&mut self, cookie: Option<RawJson>) {
        self.endings.extend(self.endable());
        self.endings.extend(self.claim());
        self.begin_anew(cookie);
        self.intent = Intent::Destroy;
    }

    /// Signs out with a superseded cookie: what it may end is noted down; the request itself has no part in that session.
    pub(crate) fn end_claim(&mut self) {
        let claim = self.claim();
        self.endings.extend(claim);
        self.claim = None;
    }

    fn claim(&self) -> Option<Ending> {
        let (id, claimed) = self.claim.clone()?;
        Some(Ending { origin: Origin::Late, id, claimed, loaded: None, identity: false, cookie: None, done: None })
    }

    /// The record that this request has, to end it.
    pub(crate) fn endable(&self) -> Option<Ending> {
        let id = self.id.clone().filter(|_| self.is_stored())?;
        Some(Ending {
            origin: self.origin,
            id,
            claimed: self.record.epoch,
            loaded: Some(self.record.epoch),
            identity: self.record.identity.is_some(),
            cookie: self.record.cookie.clone(),
            done: None,
        })
    }

    /// The record is left behind; the request goes on with a session that is not stored.
    fn begin_anew(&mut self, cookie: Option<RawJson>) {
        self.leave_record(cookie);
        self.reset();
    }

    fn leave_record(&mut self, cookie: Option<RawJson>) {
        if self.origin == Origin::Found {
            self.origin = Origin::New;
        }
        self.records = self.records.wrapping_add(1);
        self.saved = false;
        self.id = None;
        self.new_id = None;
        self.claim = None;
        self.presented = Presented::Nothing;
        self.resign = false;
        self.stored_verifier = None;
        self.secured = None;
        self.record = Record::new(VerifierHash::NONE);
        self.record.cookie = cookie;
    }

    /// An awaited sign-out has ended the record. What it keeps, or what began while it was under way, goes on in a new one.
    pub(crate) fn ended(&mut self, view: u32, ended: Ended, cookie: Option<RawJson>) {
        self.endings.extend(self.endable().map(|ending| Ending { done: Some(ended), ..ending }));
        if self.view == view {
            let fields = std::mem::take(&mut self.fields);
            self.begin_anew(cookie);
            self.intent = Intent::Destroy;
            if ended == Ended::Destroyed && !fields.is_empty() {
                self.fields = fields;
                self.modified = true;
                self.begin_again();
            }
        } else {
            self.leave_record(cookie);
            self.base = Fields::EMPTY;
            self.clear = Clear::Nothing;
            if self.sign == Sign::OutIn {
                self.sign = Sign::In;
            }
        }
    }

    /// The cookie attributes that nobody wrote yet are forgotten; those that are in the store are still to be sent.
    fn forget_cookie(&mut self) {
        self.cookie.clone_from(&self.record.cookie);
        self.cookie_unsent &= !self.cookie_changed;
        self.cookie_changed = false;
    }

    /// Forgets the cookie attributes that nobody wrote yet.
    pub(crate) fn discard_cookie(&mut self) {
        if self.is_stored() {
            self.forget_cookie();
        }
    }

    /// The pending patch, without its new verifier.
    pub(crate) fn patch(&self) -> Patch {
        let mut patch = Patch::unchanged(&self.record);
        patch.result = self.with_fillers();
        self.touched.iter().for_each(|field| patch.write(field));
        self.absent().for_each(|(field, _)| patch.fill(field));
        patch.clear = self.clear;
        patch.identity = self.identity_change.clone();
        patch.cookie = self.cookie_changed.then(|| self.cookie.clone());
        patch
    }

    /// The patch of a sign-out alone: the identity and what goes with it, none of the request's other changes.
    pub(crate) fn sign_out_patch(&self) -> Patch {
        let kept: Fields = self.record.fields.iter().filter(|field| Clear::Identity.keeps(field.keep)).collect();
        let mut patch = Patch::unchanged(&self.record);
        patch.base = kept.clone();
        patch.result = kept;
        patch.clear = Clear::Identity;
        patch.identity = IdentityChange::Removed;
        patch.cookie = (self.record.cookie != self.fresh_cookie).then(|| self.fresh_cookie.clone());
        patch
    }

    /// The fields as they would be written, required ones included.
    pub(crate) fn with_fillers(&self) -> Fields {
        if self.fillers.is_empty() {
            return self.fields.clone();
        }
        let filled = self.absent().map(|(field, raw)| StoredField::new(field.name, field.keep, raw));
        self.fields.iter().chain(filled).collect()
    }

    fn absent(&self) -> impl Iterator<Item = &(&'static Field, Vec<u8>)> {
        self.fillers.iter().filter(|(field, _)| self.fields.read(field).is_none())
    }

    /// Leaves only the fields that this request wrote, for a new session in the place of one that is gone (R11).
    pub(crate) fn keep_own_fields(&mut self, cookie: Option<RawJson>) {
        self.id = None;
        // What the handler gave it ("remember me") goes along.
        if !self.cookie_unsent {
            self.cookie = cookie;
        }
        self.fields =
            self.fields.iter().filter(|field| self.touched.iter().any(|own| own.name == field.name)).collect();
    }
}

#[cfg(test)]
mod tests;
