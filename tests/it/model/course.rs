//! What is known of one request, and what its response may say.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http_session::record::{Epoch, Record, VerifierHash};
use http_session::{Session, SessionId};
use sha2::{Digest as _, Sha256};

use super::handler::{Basket, TEXT};
use super::plan::{End, Fate, Step, Visit};
use super::truth::{Truth, numbers, user};

/// What a cookie says.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    pub id: SessionId,
    pub epoch: Epoch,
    pub hash: VerifierHash,
}

impl Claim {
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

/// What a request's first look at the store found.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Seen {
    #[default]
    Unasked,
    Nothing,
    Found(Box<Record>),
    /// A superseded cookie of the last minute.
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

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Outcome {
    #[default]
    Running,
    /// Answered; the answer may be one of ours.
    Answered { replaced: bool, cookie: Option<String> },
    /// An inner error, a panic, a dropped future: there is no response.
    Gone,
}

#[derive(Clone, Debug)]
pub struct Course {
    pub visit: Visit,
    pub cookie: Option<String>,
    pub claim: Option<Claim>,
    pub started: u64,
    pub seen: Seen,
    /// Whom it asked to sign in.
    pub users: Vec<u8>,
    /// It asked for a sign-out or an end.
    pub leaves: bool,
    pub assigns_nobody: bool,
    /// It asked for a new session.
    pub begins: bool,
    /// An awaited sign-out said that it was done.
    pub left: bool,
    /// Written down and not yet in the store, as far as the handler knows.
    pub pending: Vec<u32>,
    /// Saves that the handler began and did not wait for.
    pub given_up: usize,
    /// A store call of it failed, or its answer was lost (R10).
    pub faulted: bool,
    /// The store told it that its session is gone or superseded.
    pub refused: bool,
    /// The handler never answers.
    pub hangs: bool,
    /// The handler has come to its end.
    pub is_handled: bool,
    pub commits: usize,
    pub inserted: Vec<SessionId>,
    pub rotated: Option<(SessionId, VerifierHash)>,
    pub outcome: Outcome,
    pub is_delivered: bool,
}

impl Course {
    pub fn new(visit: Visit, cookie: Option<String>, started: u64) -> Self {
        let claim = cookie.as_deref().map(Claim::of);
        let seen = if claim.is_some() { Seen::Unasked } else { Seen::Nothing };
        Self {
            visit,
            cookie,
            claim,
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

    /// Whether the browser may not have a cookie that the store counts on.
    pub fn is_troubled(&self) -> bool {
        let changed = self.rotated.is_some() || !self.inserted.is_empty();
        self.faulted || (changed && (!self.is_delivered || self.outcome == Outcome::Gone))
    }

    /// Whether it may leave the browser signed out by its own wish.
    pub fn lowers(&self) -> bool {
        self.leaves || self.begins || self.visit.steps.contains(&Step::AssignNobody)
    }

    /// Whether it asked for a sign-in, and for nothing that could take it back.
    fn raises(&self) -> bool {
        let forgot = self.visit.steps.iter().any(|step| matches!(step, Step::Discard | Step::Reload));
        !self.users.is_empty() && !forgot && !self.lowers()
    }

    /// Whether it has acknowledged a sign-in.
    pub fn has_signed_in(&self) -> bool {
        let answered = matches!(self.outcome, Outcome::Answered { replaced: false, .. });
        answered && self.raises() && self.visit.end == End::Status(200)
    }

    /// Whether its response brought the cookie of a session in which nobody is signed in.
    pub fn brought_anonymous(&self, truth: &mut Truth) -> bool {
        let Outcome::Answered { cookie: Some(cookie), .. } = &self.outcome else { return false };
        if cookie.is_empty() || !self.is_delivered {
            return false;
        }
        let claim = Claim::of(cookie);
        truth.identity_in(&claim.id, claim.epoch).is_none()
    }

    /// Whether ordinary changes are committed; `None` where that depends on more (R11).
    const fn commits_changes(&self) -> Option<bool> {
        match self.visit.end {
            End::Status(200) => Some(true),
            End::Status(404) if self.users.is_empty() => Some(true),
            End::Status(404) => None,
            End::Status(_) | End::InnerError | End::Panic | End::Hang => Some(false),
        }
    }

    /// Whether a sign-out that was asked for must be done (R11).
    pub fn must_have_left(&self) -> bool {
        let replaced = matches!(self.outcome, Outcome::Answered { replaced: true, .. });
        let recorded = self.leaves && !self.faulted && !replaced;
        let assigned = self.assigns_nobody && self.is_handled && !self.faulted && !replaced;
        self.left || recorded || (assigned && self.visit.fate != Fate::Dropped)
    }
}

/// Checks of a request's own.
impl Truth {
    /// What the handler sees at its start is what was loaded, or nothing (R6).
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
                self.check(visit, nothing, "R6: the handler sees the session of a cookie that does not fit");
            }
        }
    }

    /// An awaited sign-out said that it was done: it is (R11).
    pub fn left(&mut self, visit: usize) {
        let course = self.course(visit);
        course.left = true;
        let (Some(claim), seen) = (course.claim.clone(), course.seen.clone()) else { return };
        let Seen::Found(loaded) = seen else { return };
        let still = self.known(&claim.id).record.as_ref().is_some_and(|record| {
            record.identity.is_some() && record.identity_epoch <= loaded.identity_epoch && loaded.identity.is_some()
        });
        self.check(visit, !still, "R11: an awaited sign-out was answered, and the user is signed in");
    }

    /// The response, as it leaves.
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
            self.check(visit, asked == End::Status(status.as_u16()), "R12: another status than the handler's");
            self.acknowledged(visit);
        }
        self.check_cookie(visit, cookie);
    }

    fn check_cookie(&mut self, visit: usize, cookie: Option<&str>) {
        let course = self.course(visit).clone();
        let sent = cookie.filter(|value| !value.is_empty()).map(Claim::of);
        if let Some(claim) = &sent {
            let stored = self.was_valid(&claim.id, claim.hash, course.started);
            self.check(visit, stored, "R12: a cookie without a record");
            let may = course.seen != Seen::Late || course.begins || !course.users.is_empty();
            self.check(visit, may, "R6: a late request got a cookie");
        }
        if course.faulted {
            // R10: what an answer that was lost has left dies by itself.
            return;
        }
        for id in &course.inserted {
            let alone = self.known(id).record.is_some() && sent.as_ref().is_none_or(|claim| claim.id != *id);
            self.check(visit, !alone, "R12: a record without its cookie");
        }
        if let Some((id, hash)) = course.rotated {
            let current = self.known(&id).record.as_ref().is_some_and(|record| record.verifier == hash);
            let has = sent.is_some_and(|claim| claim.hash == hash);
            self.check(visit, !current || has, "R12: a new verifier without its cookie");
        }
    }

    /// The handler's response has left: what it acknowledges is stored, and nothing else.
    fn acknowledged(&mut self, visit: usize) {
        let course = self.course(visit).clone();
        // R6: a late request stores nothing; R11: what finds its session gone is dropped, with an event.
        let excused = course.faulted || course.refused || (course.seen == Seen::Late && !course.raises());
        for mark in course.pending.iter().copied() {
            match course.commits_changes() {
                Some(true) => {
                    let stored = self.written.iter().any(|(_, written)| *written == mark);
                    self.check(visit, stored || excused, "R12: acknowledged, and not stored");
                }
                Some(false) => self.mark(mark).dropped = true,
                None => {}
            }
        }
    }

    /// There is no response: what was not saved by then is never stored (R11).
    pub fn gone(&mut self, visit: usize) {
        let course = self.course(visit);
        if course.has_ended() {
            return;
        }
        course.outcome = Outcome::Gone;
        // A commit that has begun runs to its end.
        if course.is_handled && course.commits_changes() != Some(false) {
            return;
        }
        for mark in course.pending.clone() {
            self.mark(mark).dropped = true;
        }
    }
}
