//! What the store answered when the session was looked for.

use crate::decide::Origin;
use crate::forgery::Subject;
use crate::token::Verifier;
use http_session_store::SessionId;
use http_session_store::record::{Epoch, RawJson, Record, VerifierHash};

/// The secret half of the cookie, as far as this request knows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented {
    /// The request presented no verifier of this record.
    Nothing,
    /// The record's current verifier.
    Current(Verifier),
    /// The verifier before the current one, which a renewal has left valid.
    Previous,
}

/// The session that the request's cookies led to.
///
/// Only two things change it later: an awaited call that stores or ends the record, and a request that leaves its record.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) origin: Origin,
    /// The id of the record in the store.
    pub(crate) id: Option<SessionId>,
    /// The record as loaded, or as an awaited call of this request has left it: the base of the patch.
    pub(crate) record: Record,
    pub(crate) presented: Presented,
    /// The cookie was signed with a previous secret.
    pub(crate) resign: bool,
    /// The session that a superseded cookie may still end (R6).
    pub(crate) claim: Option<(SessionId, Epoch)>,
    /// Live sessions that were presented together, none of which is used (R3).
    pub(crate) ambiguous: Vec<(SessionId, Epoch)>,
    /// What a CSRF token of this request must fit, whatever becomes of the session (R24).
    pub(crate) subject: Option<Subject>,
    /// The cookie attributes with which the session of another identity would begin.
    pub(crate) fresh_cookie: Option<RawJson>,
    /// The cookie attributes of a session that was born on http and is used over https for the first time (R19).
    pub(crate) secured: Option<RawJson>,
}

impl Loaded {
    pub(super) const fn new(origin: Origin, record: Record) -> Self {
        Self {
            origin,
            id: None,
            record,
            presented: Presented::Nothing,
            resign: false,
            claim: None,
            ambiguous: Vec::new(),
            subject: None,
            fresh_cookie: None,
            secured: None,
        }
    }

    /// The request goes on without the record, which is not its own any more.
    pub(super) fn leave(&mut self, cookie: Option<RawJson>) {
        if self.origin == Origin::Found {
            self.origin = Origin::New;
        }
        self.id = None;
        self.record = Record { cookie, ..Record::new(VerifierHash::NONE) };
        self.presented = Presented::Nothing;
        self.resign = false;
        self.claim = None;
        self.secured = None;
    }
}
