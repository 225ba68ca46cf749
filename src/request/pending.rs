//! What the request changed and nobody has written yet.

use std::time::Duration;

use smallvec::SmallVec;

use crate::decide::{Intent, Sign};
use http_session_store::record::{Clear, Field, Fields, RawJson, Record, StoredField};
use http_session_store::{Generation, SessionId};

/// Why this request's changes can no longer be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A value does not serialise.
    Unencodable,
    /// Two handles of one request changed a field whose rule refuses to join them.
    Conflict,
    /// The answer to an awaited write was lost: the write is not sent again (R10).
    Unknown,
}

/// What a ticket says of the moment before the password was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TicketProof {
    pub(crate) generation: Generation,
    /// By the configuration's clock.
    pub(crate) given: Duration,
}

impl TicketProof {
    /// Much shorter than the time after which a store may forget a generation.
    const LIFETIME: Duration = Duration::from_secs(3600);

    pub(crate) fn is_void(self, now: Duration) -> bool {
        now.saturating_sub(self.given) > Self::LIFETIME
    }
}

/// The changes of one request.
#[derive(Clone)]
pub(crate) struct Pending {
    /// The record's fields, without those that a change of identity clears.
    pub(crate) base: Fields,
    pub(crate) fields: Fields,
    /// The fields whose value differs from the base.
    pub(crate) touched: SmallVec<[&'static Field; 4]>,
    /// Required fields that were never stored. The next write stores them too.
    pub(crate) fillers: Vec<(&'static Field, Vec<u8>)>,
    pub(crate) identity: Option<RawJson>,
    pub(crate) sign: Sign,
    /// Which fields the changes of identity of this request clear. Not derived from `sign`: a visitor who becomes A and then
    /// B loses the fields that only the first sign-in would keep.
    pub(crate) clear: Clear,
    /// The ticket of this request's sign-in (R28).
    pub(crate) ticket: Option<TicketProof>,
    pub(crate) cookie: Option<RawJson>,
    /// The store does not have these cookie attributes yet.
    pub(crate) cookie_changed: bool,
    /// The browser does not have these cookie attributes yet.
    pub(crate) cookie_unsent: bool,
    /// The id under which the next insert will store the session. Chosen when somebody asks for it.
    pub(crate) new_id: Option<SessionId>,
    pub(crate) intent: Intent,
    /// The session differs from what it was when the request began (express: a changed hash).
    pub(crate) modified: bool,
    pub(crate) flaw: Option<Flaw>,
}

impl Pending {
    /// Nothing is pending on this record.
    pub(super) fn on(record: &Record) -> Self {
        Self {
            base: record.fields.clone(),
            fields: record.fields.clone(),
            touched: SmallVec::new(),
            fillers: Vec::new(),
            identity: record.identity.clone(),
            sign: Sign::Unchanged,
            clear: Clear::Nothing,
            ticket: None,
            cookie: record.cookie.clone(),
            cookie_changed: false,
            cookie_unsent: false,
            new_id: None,
            intent: Intent::Keep,
            modified: false,
            flaw: None,
        }
    }

    /// Whether fields wait to be written.
    pub(crate) fn has_fields(&self) -> bool {
        self.touched.iter().any(|field| self.base.read(field) != self.fields.read(field))
    }

    /// Raises the intent; the strongest wins.
    pub(crate) fn ask(&mut self, intent: Intent) {
        self.intent = self.intent.max(intent);
    }

    /// The session was ended, and now something is to be kept again.
    pub(super) fn begin_again(&mut self) {
        if self.intent == Intent::Destroy {
            self.intent = Intent::Keep;
        }
    }

    /// These fields take the place of the pending ones; `changed` names those that differ.
    pub(super) fn replace_fields(&mut self, fields: Fields, changed: &[&'static Field]) {
        for &field in changed {
            if !self.touched.iter().any(|touched| touched.name == field.name) {
                self.touched.push(field);
            }
        }
        self.fields = fields;
        self.forget_unchanged();
    }

    /// A field that is back at its base has not changed.
    pub(super) fn forget_unchanged(&mut self) {
        let (base, now) = (&self.base, &self.fields);
        self.touched.retain(|field| base.read(field) != now.read(field));
        self.fillers.retain(|(field, _)| base.read(field).is_none());
    }

    /// Drops the fields that this change of identity does not keep. When an anonymous visitor signs in, what this request
    /// changed stays too.
    pub(super) fn clear_fields(&mut self, clear: Clear) {
        let stays = |field: &StoredField<'_>| {
            clear.keeps(field.keep)
                || (clear == Clear::SignIn && self.touched.iter().any(|touched| touched.name == field.name))
        };
        self.fields = self.fields.iter().filter(stays).collect();
        self.base = self.base.iter().filter(|field| clear.keeps(field.keep)).collect();
        // The mark in the record may differ from the mark in this program: such a field goes from the record too.
        let (base, now) = (&self.base, &self.fields);
        self.touched.retain(|field| now.find(field.name).is_some() || base.read(field).is_some());
        self.fillers.retain(|(field, _)| clear.keeps(field.keep) || clear == Clear::SignIn);
    }

    /// Replaces the session's own cookie attributes.
    pub(crate) fn set_cookie(&mut self, cookie: Option<RawJson>) {
        self.cookie_changed |= self.cookie != cookie;
        self.cookie_unsent |= self.cookie != cookie;
        self.cookie = cookie;
    }

    /// Goes back to the cookie attributes in the store. Attributes that the store has are still to be sent.
    pub(super) fn forget_cookie(&mut self, stored: Option<&RawJson>) {
        self.cookie = stored.cloned();
        self.cookie_unsent &= !self.cookie_changed;
        self.cookie_changed = false;
    }

    /// The fields as they would be written, required ones included.
    pub(crate) fn with_fillers(&self) -> Fields {
        if self.fillers.is_empty() {
            return self.fields.clone();
        }
        let filled = self.absent().map(|(field, raw)| StoredField::new(field.name, field.keep, raw));
        self.fields.iter().chain(filled).collect()
    }

    /// The required fields that the session does not have.
    pub(super) fn absent(&self) -> impl Iterator<Item = &(&'static Field, Vec<u8>)> {
        self.fillers.iter().filter(|(field, _)| self.fields.read(field).is_none())
    }
}
