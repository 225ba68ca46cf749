//! What the request changed and no call has written yet.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use smallvec::SmallVec;

use crate::decide::{Intent, Sign};
use crate::error::MergeConflict;
use crate::telemetry;
use http_session_store::record::{Clear, Field, Fields, RawJson, Record, StoredField};
use http_session_store::{Generation, SessionId};

/// Why this request's changes can no longer be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A value cannot be serialised.
    Unencodable,
    /// Another handle or another request changed a field whose merge rule rejects that.
    Conflict,
    /// A merge function panicked.
    MergePanicked,
    /// The answer to an awaited write was lost, so its changes must not be sent again (R10).
    Unknown,
}

/// Merges changes. The merge functions are the user's code: if one panics, the changes are not written, and the request gets
/// its response (R12).
pub(crate) fn guard_merge<T>(merge: impl FnOnce() -> Result<T, MergeConflict>) -> Result<T, Flaw> {
    match catch_unwind(AssertUnwindSafe(merge)) {
        Ok(merged) => merged.map_err(|_| Flaw::Conflict),
        Err(_) => {
            telemetry::merge_panicked();
            Err(Flaw::MergePanicked)
        }
    }
}

/// The state of an identity at the moment when a ticket was issued, before the password was checked (R28).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TicketProof {
    pub(crate) generation: Generation,
    /// When the ticket was issued, by the clock of the configuration.
    pub(crate) given: Duration,
}

impl TicketProof {
    /// Much shorter than the time for which a store keeps a generation. After that time, a ticket from before it was raised
    /// would fit again.
    const LIFETIME: Duration = Duration::from_secs(3600);

    pub(crate) fn is_void(self, now: Duration) -> bool {
        now.saturating_sub(self.given) > Self::LIFETIME
    }
}

/// The pending changes of one request.
#[derive(Clone)]
pub(crate) struct Pending {
    /// The fields of the record, without those that a change of identity in this request clears.
    pub(crate) base: Fields,
    /// The base with the changes of the request.
    pub(crate) fields: Fields,
    /// The fields whose values may differ from the base.
    pub(crate) touched: SmallVec<[&'static Field; 4]>,
    /// Required fields that were never stored. The next write stores them too.
    pub(crate) fillers: Vec<(&'static Field, Vec<u8>)>,
    pub(crate) identity: Option<RawJson>,
    pub(crate) sign: Sign,
    /// Which fields the changes of identity in this request clear. It cannot be derived from `sign`: a visitor who becomes
    /// A and then B loses the fields that the first sign-in alone would keep.
    pub(crate) clear: Clear,
    /// The ticket of this request's sign-in (R28).
    pub(crate) ticket: Option<TicketProof>,
    pub(crate) cookie: Option<RawJson>,
    /// The store does not have these cookie attributes yet, so they go into the next patch.
    pub(crate) cookie_changed: bool,
    /// The browser does not have these cookie attributes yet. Apart from `cookie_changed`, because an awaited save stores
    /// them and sends nothing.
    pub(crate) cookie_unsent: bool,
    /// The id under which the next insert will store the session. Chosen as soon as the handler asks for it.
    pub(crate) new_id: Option<SessionId>,
    pub(crate) intent: Intent,
    /// The session differs from what it was when the request began. It stays true after a save, as in express, where the hash
    /// has changed.
    pub(crate) modified: bool,
    pub(crate) flaw: Option<Flaw>,
}

impl Pending {
    /// The pending changes of a request that has changed nothing of this record yet.
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

    /// Whether changes of fields wait to be written.
    pub(crate) fn has_fields(&self) -> bool {
        self.touched.iter().any(|field| self.base.read(field) != self.fields.read(field))
    }

    /// Asks for an intent. The strongest that the request has asked for wins.
    pub(crate) fn ask(&mut self, intent: Intent) {
        self.intent = self.intent.max(intent);
    }

    /// The handler has ended the session, and then stores something again: a new session begins.
    pub(super) fn begin_again(&mut self) {
        if self.intent == Intent::Destroy {
            self.intent = Intent::Keep;
        }
    }

    /// Replaces the pending fields. `changed` names the fields that differ from them.
    pub(super) fn replace_fields(&mut self, fields: Fields, changed: &[&'static Field]) {
        for &field in changed {
            if !self.touched.iter().any(|touched| touched.name == field.name) {
                self.touched.push(field);
            }
        }
        self.fields = fields;
        self.forget_unchanged();
    }

    /// Forgets fields that are back at their base: they are not a change. Also forgets required fields that the base has by
    /// now.
    pub(super) fn forget_unchanged(&mut self) {
        let (base, now) = (&self.base, &self.fields);
        self.touched.retain(|field| base.read(field) != now.read(field));
        self.fillers.retain(|(field, _)| base.read(field).is_none());
    }

    /// Drops the fields that a change of identity does not keep (R5). If a visitor signs in, what this request has changed
    /// stays too.
    pub(super) fn clear_fields(&mut self, clear: Clear) {
        let stays = |field: &StoredField<'_>| {
            clear.keeps(field.keep)
                || (clear == Clear::SignIn && self.touched.iter().any(|touched| touched.name == field.name))
        };
        self.fields = self.fields.iter().filter(stays).collect();
        self.base = self.base.iter().filter(|field| clear.keeps(field.keep)).collect();
        // A field may be marked `keep` in the record but not in this program, or the other way round. If it was dropped from
        // `fields` but is in the base, it stays in `touched`, so that the patch removes it from the record.
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

    /// Goes back to the cookie attributes in the store. If those are still to be sent, they stay so.
    pub(super) fn forget_cookie(&mut self, stored: Option<&RawJson>) {
        self.cookie = stored.cloned();
        self.cookie_unsent &= !self.cookie_changed;
        self.cookie_changed = false;
    }

    /// The fields as an insert or a patch would write them, absent required fields included.
    pub(crate) fn with_fillers(&self) -> Fields {
        if self.fillers.is_empty() {
            return self.fields.clone();
        }
        let filled = self.absent().map(|(field, raw)| StoredField::new(field.name, field.keep, raw));
        self.fields.iter().chain(filled).collect()
    }

    /// The required fields that the session lacks, with their values.
    pub(super) fn absent(&self) -> impl Iterator<Item = &(&'static Field, Vec<u8>)> {
        self.fillers.iter().filter(|(field, _)| self.fields.read(field).is_none())
    }
}
