//! What the store answered when the session was loaded.

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
    /// The verifier before the current one. A renewal has left it valid (R6).
    Previous,
}

/// The session that the cookies of the request led to.
///
/// It changes later in two cases only: an awaited call writes the record, or the request leaves it.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) origin: Origin,
    /// The id of the record in the store.
    pub(crate) id: Option<SessionId>,
    /// The record as it was loaded, or as an awaited call of this request has written it: the base of the patch.
    pub(crate) record: Record,
    pub(crate) presented: Presented,
    /// The cookie was signed with a previous secret.
    pub(crate) resign: bool,
    /// The session of a superseded cookie, which the cookie may still end, and the epoch of the cookie (R6).
    pub(crate) superseded: Option<(SessionId, Epoch)>,
    /// The live sessions that were presented together, so that none of them is used (R3).
    pub(crate) ambiguous: Vec<(SessionId, Epoch)>,
    /// What a CSRF token of this request is checked against. It stays the presented session, whatever the handler does (R24).
    pub(crate) subject: Option<Subject>,
    /// The cookie attributes for the session of another identity. A "remember me" of the old identity is not among them (R5).
    pub(crate) fresh_cookie: Option<RawJson>,
    /// The cookie attributes with Secure, for a session that was born on http and is used over https for the first time
    /// (R19).
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
            superseded: None,
            ambiguous: Vec::new(),
            subject: None,
            fresh_cookie: None,
            secured: None,
        }
    }

    /// The request goes on without its record, with a session that is not stored and has these cookie attributes. The subject
    /// stays, because CSRF tokens are checked against the presented session (R24).
    pub(super) fn leave(&mut self, cookie: Option<RawJson>) {
        // A late or ambiguous request stays what it is: it must not store anything (R3, R6).
        if self.origin == Origin::Found {
            self.origin = Origin::New;
        }
        self.id = None;
        self.record = Record::new(VerifierHash::NONE);
        self.record.cookie = cookie;
        self.presented = Presented::Nothing;
        self.resign = false;
        self.superseded = None;
        self.secured = None;
    }
}
