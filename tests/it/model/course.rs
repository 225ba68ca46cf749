//! What the model knows of one request, and what its response may be.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http_session::record::{Epoch, Record, VerifierHash};
use http_session::{Session, SessionId};
use sha2::{Digest as _, Sha256};

use super::handler::{Basket, TEXT};
use super::plan::{End, Fate, Step, Visit};
use super::truth::{Truth, numbers, user};

/// The parts of a cookie's token.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedToken {
    pub id: SessionId,
    pub epoch: Epoch,
    pub hash: VerifierHash,
}

impl ParsedToken {
    pub fn of(value: &str) -> Self {
        let token: [u8; 72] = URL_SAFE_NO_PAD.decode(value).expect("base64url").try_into().expect("72 bytes");
        let (selector, epoch, verifier) = (&token[..16], token[16..24].try_into().unwrap(), &token[24..40]);
        Self {
            id: SessionId::try_from(URL_SAFE_NO_PAD.encode(selector).as_str()).expect("an id"),
            epoch: Epoch(u64::from_be_bytes(epoch)),
            hash: VerifierHash(Sha256::digest(verifier).into()),
        }
    }
}

/// What a request's first load found.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Seen {
    #[default]
    Unasked,
    Nothing,
    Found(Box<Record>),
    /// The cookie was superseded within the last minute.
    Late,
}

impl Seen {
    pub fn user(&self) -> Option<u8> {
        match self {
            Self::Found(record) => user(record),
            Self::Unasked | Self::Nothing | Self::Late => None,
        }
    }
}

/// How a request ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Outcome {
    #[default]
    Running,
    /// It has a response, from the handler or from the library.
    Answered { replaced: bool, cookie: Option<String> },
    /// It has no response, because of an inner error, a panic, or a dropped future.
    Gone,
}

#[derive(Clone, Debug)]
pub struct Course {
    pub visit: Visit,
    pub cookie: Option<String>,
    pub token: Option<ParsedToken>,
    pub started: u64,
    pub seen: Seen,
    /// The users that the request asked to sign in.
    pub users: Vec<u8>,
    /// The request asked for a sign-out or a destroy.
    pub leaves: bool,
    pub assigns_nobody: bool,
    /// The request asked for a new session.
    pub begins: bool,
    /// An awaited sign-out answered that it was done.
    pub left: bool,
    /// Marks that were written to the handle and are not yet stored, as far as the handler knows.
    pub pending: Vec<u32>,
    /// The number of saves that the handler began and dropped.
    pub given_up: usize,
    /// A store call of the request failed, or its answer was lost (R10).
    pub faulted: bool,
    /// The store answered that the session is gone or superseded.
    pub refused: bool,
    /// The handler never answers.
    pub hangs: bool,
    /// The handler has ended.
    pub is_handled: bool,
    pub commits: usize,
    pub inserted: Vec<SessionId>,
    pub rotated: Option<(SessionId, VerifierHash)>,
    pub outcome: Outcome,
    pub is_delivered: bool,
}

impl Course {
    pub fn new(visit: Visit, cookie: Option<String>, started: u64) -> Self {
        let token = cookie.as_deref().map(ParsedToken::of);
        let seen = if token.is_some() { Seen::Unasked } else { Seen::Nothing };
        Self {
            visit,
            cookie,
            token,
            started,
            seen,
            users: Vec::new(),
            leaves: false,
            assigns_nobody: false,
            begins: false,
            left: false,
            pending: Vec::new(),
            given_up: 0,
            faulted: false,
            refused: false,
            hangs: false,
            is_handled: false,
            commits: 0,
            inserted: Vec::new(),
            rotated: None,
            outcome: Outcome::Running,
            is_delivered: false,
        }
    }

    pub fn has_ended(&self) -> bool {
        self.outcome != Outcome::Running
    }

    /// Whether the browser may lack a cookie whose verifier is stored.
    pub fn is_troubled(&self) -> bool {
        let changed = self.rotated.is_some() || !self.inserted.is_empty();
        self.faulted || (changed && (!self.is_delivered || self.outcome == Outcome::Gone))
    }

    /// Whether the request may sign the browser out, as it asked.
    pub fn lowers(&self) -> bool {
        self.leaves || self.begins || self.visit.steps.contains(&Step::AssignNobody)
    }

    /// Whether the request asked for a sign-in, and for nothing that could undo it.
    fn raises(&self) -> bool {
        let forgot = self.visit.steps.iter().any(|step| matches!(step, Step::Discard | Step::Reload));
        !self.users.is_empty() && !forgot && !self.lowers()
    }

    /// Whether the response acknowledged a sign-in.
    pub fn has_signed_in(&self) -> bool {
        let answered = matches!(self.outcome, Outcome::Answered { replaced: false, .. });
        answered && self.raises() && self.visit.end == End::Status(200)
    }

    /// Whether the response set the cookie of an anonymous session.
    pub fn brought_anonymous(&self, truth: &mut Truth) -> bool {
        let Outcome::Answered { cookie: Some(cookie), .. } = &self.outcome else { return false };
        if cookie.is_empty() || !self.is_delivered {
            return false;
        }
        let token = ParsedToken::of(cookie);
        truth.identity_in(&token.id, token.epoch).is_none()
    }

    /// Whether ordinary changes are committed. `None` if more than the end of the request decides this (R11).
    const fn commits_changes(&self) -> Option<bool> {
        match self.visit.end {
            End::Status(200) => Some(true),
            End::Status(404) if self.users.is_empty() => Some(true),
            End::Status(404) => None,
            End::Status(_) | End::InnerError | End::Panic | End::Hang => Some(false),
        }
    }

    /// Whether a requested sign-out must be done by now (R11).
    pub fn must_have_left(&self) -> bool {
        let replaced = matches!(self.outcome, Outcome::Answered { replaced: true, .. });
        let recorded = self.leaves && !self.faulted && !replaced;
        let assigned = self.assigns_nobody && self.is_handled && !self.faulted && !replaced;
        self.left || recorded || (assigned && self.visit.fate != Fate::Dropped)
    }
}

/// Checks of a single request.
impl Truth {
    /// Checks that the handler sees at its start what was loaded, or nothing (R6).
    pub fn opened(&mut self, visit: usize, session: &Session<Basket>) {
        let (saw, log) = (session.user, session.log.as_slice());
        let seen = self.course(visit).seen.clone();
        match &seen {
            Seen::Found(record) => {
                let same = saw == user(record) && log == numbers(record, "log") && !session.is_new();
                self.check(visit, same, "R6: the handler does not see what was loaded");
            }
            Seen::Unasked | Seen::Nothing | Seen::Late => {
                let nothing = saw.is_none() && log.is_empty() && session.is_new();
                self.check(visit, nothing, "R6: the handler sees a session although its cookie is not valid");
            }
        }
    }

    /// Checks that a sign-out is done after an awaited call answered so (R11).
    pub fn left(&mut self, visit: usize) {
        let course = self.course(visit);
        course.left = true;
        let (Some(token), seen) = (course.token.clone(), course.seen.clone()) else { return };
        let Seen::Found(loaded) = seen else { return };
        let still = self.known(&token.id).record.as_ref().is_some_and(|record| {
            record.identity.is_some() && record.identity_epoch <= loaded.identity_epoch && loaded.identity.is_some()
        });
        self.check(visit, !still, "R11: an awaited sign-out was answered, but the user is still signed in");
    }

    /// Checks a response when it is sent.
    pub fn answered(&mut self, visit: usize, status: StatusCode, text: &str, cookie: Option<&str>) {
        let course = self.course(visit);
        let (faulted, asked, is_ours) = (course.faulted, course.visit.end, text != TEXT);
        course.outcome = Outcome::Answered { replaced: is_ours, cookie: cookie.map(str::to_owned) };
        if is_ours {
            let truthful = match status {
                StatusCode::SERVICE_UNAVAILABLE => faulted,
                StatusCode::CONFLICT => true,
                _ => false,
            };
            self.check(visit, truthful, "R12: a response was replaced without a reason");
        } else {
            self.check(visit, asked == End::Status(status.as_u16()), "R12: the status differs from the handler's");
            self.acknowledged(visit);
        }
        self.check_cookie(visit, cookie);
    }

    fn check_cookie(&mut self, visit: usize, cookie: Option<&str>) {
        let course = self.course(visit).clone();
        let sent = cookie.filter(|value| !value.is_empty()).map(ParsedToken::of);
        if let Some(token) = &sent {
            let stored = self.was_valid(&token.id, token.hash, course.started);
            self.check(visit, stored, "R12: a cookie without a record");
            let may = course.seen != Seen::Late || course.begins || !course.users.is_empty();
            self.check(visit, may, "R6: a late request got a cookie");
        }
        if course.faulted {
            // R10: a record that a lost answer leaves behind expires by itself.
            return;
        }
        for id in &course.inserted {
            let alone = self.known(id).record.is_some() && sent.as_ref().is_none_or(|token| token.id != *id);
            self.check(visit, !alone, "R12: a record without its cookie");
        }
        if let Some((id, hash)) = course.rotated {
            let current = self.known(&id).record.as_ref().is_some_and(|record| record.verifier == hash);
            let has = sent.is_some_and(|token| token.hash == hash);
            self.check(visit, !current || has, "R12: a new verifier without its cookie");
        }
    }

    /// Checks a handler's response when it is sent: what it acknowledges is stored, and nothing else.
    fn acknowledged(&mut self, visit: usize) {
        let course = self.course(visit).clone();
        // R6: a late request stores nothing. R11: if the session is gone, the changes are dropped with an event.
        let excused = course.faulted || course.refused || (course.seen == Seen::Late && !course.raises());
        for mark in course.pending.iter().copied() {
            match course.commits_changes() {
                Some(true) => {
                    let stored = self.written.iter().any(|(_, written)| *written == mark);
                    self.check(visit, stored || excused, "R12: a change was acknowledged but is not stored");
                }
                Some(false) => self.mark(mark).dropped = true,
                None => {}
            }
        }
    }

    /// Ends a request without a response: changes that are not saved by now are never stored (R11).
    pub fn gone(&mut self, visit: usize) {
        let course = self.course(visit);
        if course.has_ended() {
            return;
        }
        course.outcome = Outcome::Gone;
        // A commit that has begun runs to completion.
        if course.is_handled && course.commits_changes() != Some(false) {
            return;
        }
        for mark in course.pending.clone() {
            self.mark(mark).dropped = true;
        }
    }
}
