//! Stage 7: the one store call that the decision names, and the cookie that follows from its answer.

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

use super::cookie::{self, CookieOutcome};
use super::replace::replace;
use super::write::{self, WriteFailure, Written};
use super::{index, load, store_call};
use crate::config::ErasedConfig;
use crate::decide::{
    CookieAction, Decision, Facts, Intent, Origin, Policy, Removal, Resend, Sign, Status, StoreAction, Write, decide,
    permits_everything,
};
use crate::request::ending::Ended;
use crate::request::loaded::Presented;
use crate::request::session::RequestSession;
use crate::request::slot::{Slot, State};
use crate::telemetry::{self, CommitOutcome};
use crate::token::Verifier;
use http_session_store::record::{Patch, VerifierChange};
use http_session_store::{SessionId, Touched};

/// What the commit means for the response.
#[derive(Debug, Default)]
pub(crate) struct Commitment {
    /// The value of `Set-Cookie`.
    pub(crate) cookie: Option<http::HeaderValue>,
    /// The session was read, so the response varies by cookie (R20).
    pub(crate) read: bool,
    pub(crate) failure: Option<WriteFailure>,
}

/// Whether there is a response that can carry a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Response,
    /// The inner service returned an error, or its future was dropped.
    Nowhere,
}

/// Everything that the decision may look at.
fn facts(config: &ErasedConfig, slot: &Slot, session: &RequestSession, status: Status, delivery: Delivery) -> Facts {
    let stored = session.is_stored();
    let current = matches!(session.loaded.presented, Presented::Current(_)) || session.done.verifier.is_some();
    // As long as the intent is to destroy, nothing has begun since. `loaded` has left the record by then, so the decision
    // looks at the session that the handler ended first.
    let ended = session.done.endings.first().filter(|_| session.pending.intent == Intent::Destroy);
    let origin = ended.map_or(session.loaded.origin, |ending| ending.origin);
    Facts {
        origin,
        intent: session.pending.intent,
        sign: session.pending.sign,
        status,
        modified: session.pending.modified,
        // In express, a change of the cookie's attributes alone is not stored.
        pending: session.pending.has_fields()
            || (session.pending.cookie_changed && config.settings.policy.resend == Resend::WhenChanged),
        // A new session can only be noted as ended if an awaited call had stored it.
        saved: session.done.saved || (ended.is_some() && origin == Origin::New),
        cookie_changed: session.pending.cookie_unsent,
        expires: cookie::expires(config, slot, session),
        touch_due: stored && !session.passive && (session.touch || touch_is_due(config, session)),
        renewal_due: session.loaded.origin == Origin::Found
            && !session.done.saved
            && config.settings.renew_after.is_some_and(|period| session.loaded.record.ages.verifier >= period),
        resign: session.loaded.resign,
        current,
        sendable: delivery == Delivery::Response && cookie::sendable(config, slot, session),
    }
}

/// Whether enough time has passed since the last touch (R7).
fn touch_is_due(config: &ErasedConfig, session: &RequestSession) -> bool {
    const ABOUT_TO_EXPIRE: Duration = Duration::from_secs(60);
    if config.settings.touch_throttle == 0 {
        return true;
    }
    let lifetime = write::lifetime(config, session);
    let left = session.loaded.record.expires_in;
    // A touch would not prolong the session.
    if left >= lifetime.time_left(Duration::ZERO, session.loaded.record.absolute_age()) {
        return false;
    }
    // Measured against the idle lifetime alone: near the absolute end a touch gains less, but is still due.
    let throttle = lifetime.idle / 100 * u32::from(config.settings.touch_throttle);
    left < ABOUT_TO_EXPIRE || lifetime.idle.saturating_sub(left) >= throttle || is_first_return(session)
}

/// Whether the session still has the short life of a session whose cookie has not come back yet (R14).
fn is_first_return(session: &RequestSession) -> bool {
    let ages = session.loaded.record.ages;
    session.loaded.origin == Origin::Found && session.loaded.record.identity.is_none() && ages.touched == ages.created
}

/// Commits what the request did to its session, and closes the slot.
pub(crate) async fn commit(slot: Arc<Slot>, status: Status, delivery: Delivery) -> Commitment {
    if slot.config.loads_always() {
        load::load(&slot).await;
    }
    // A handler may have dropped the future of an awaited write, and the write still runs. Without its answer the commit
    // would write the same changes twice (R9, R10).
    drop(slot.turn().await);
    match Plan::new(slot, status, delivery) {
        Ok(mut plan) => plan.commit().await,
        Err(commitment) => commitment,
    }
}

/// What is left to do after the slot is closed.
pub(crate) struct Plan {
    slot: Arc<Slot>,
    session: Box<RequestSession>,
    facts: Facts,
    decision: Decision,
    failure: Option<WriteFailure>,
    /// The session was gone or superseded, so the changes of the request were dropped.
    dropped: bool,
}

impl Plan {
    /// Closes the slot and decides. An `Err` is the result of a commit that has nothing to write.
    ///
    /// The slot is closed under the lock under which the decision is made. A handle that changed the session in between
    /// would believe that its change is committed, and the response would not be true (R12). A handle that comes later gets
    /// an event.
    pub(crate) fn new(slot: Arc<Slot>, status: Status, delivery: Delivery) -> Result<Self, Commitment> {
        let handles = slot.handles();
        if handles > 0 {
            telemetry::handle_alive(&slot.config.tags, slot.record_id().as_ref(), handles);
        }
        let mut state = slot.lock();
        let session = match &mut *state {
            State::Loaded(session) => session,
            // Nothing is written in a request whose session could not be loaded (R18).
            State::Failed => return Err(Commitment { read: true, ..Commitment::default() }),
            State::Unloaded | State::Outside | State::Closed => return Err(Commitment::default()),
        };
        // A failed response reports the handler's own failure, so it is not replaced.
        let failure = session.pending.flaw.filter(|_| status != Status::Failed).map(WriteFailure::from);
        if session.pending.flaw.is_some() {
            // All or nothing (R9). A sign-out or the end of the session stays pending (R11).
            session.discard();
        }
        let facts = facts(&slot.config, &slot, session, status, delivery);
        // A rolling cookie follows the life of the record, which a passive request does not prolong (R7).
        let policy = slot.config.settings.policy;
        let policy = Policy { rolling: policy.rolling && !session.passive, ..policy };
        let decision = decide(facts, policy);
        let unsendable = facts.origin == Origin::New && facts.modified && !facts.sendable;
        // Called after the lock is released: a subscriber of events is the user's code.
        let report = || {
            if unsendable && delivery == Delivery::Response {
                telemetry::cookie_unsendable();
            }
        };
        if !permits_everything(facts, policy) {
            // Attributes that are discarded must not decide how long the record lives, or what a cookie looks like.
            session.discard_cookie();
        }
        if decision == Decision::NOTHING
            && session.done.endings.is_empty()
            && session.done.verifier.is_none()
            && failure.is_none()
        {
            // Most requests only read. The session is dropped in place, which is cheaper than moving it out.
            *state = State::Closed;
            drop(state);
            report();
            telemetry::commit_ended(decision.store, CommitOutcome::Done);
            return Err(Commitment { read: true, ..Commitment::default() });
        }
        let State::Loaded(session) = mem::replace(&mut *state, State::Closed) else {
            return Err(Commitment::default());
        };
        drop(state);
        report();
        Ok(Self { slot, session, facts, decision, failure, dropped: false })
    }

    /// Whether the commit makes a store call, so that it may have to wait.
    pub(crate) fn calls_store(&self) -> bool {
        self.decision.store != StoreAction::Nothing || !self.session.done.endings.is_empty()
    }

    pub(crate) async fn commit(&mut self) -> Commitment {
        let span = telemetry::commit_span(self.facts.status);
        let commitment = pin!(self.execute()).instrument(span).await;
        let outcome = match &commitment.failure {
            Some(failure) => CommitOutcome::Failed(failure.name()),
            None if self.dropped => CommitOutcome::Dropped,
            None => CommitOutcome::Done,
        };
        telemetry::commit_ended(self.decision.store, outcome);
        commitment
    }

    /// Writes to the store, then makes the cookie that the answer allows.
    async fn execute(&mut self) -> Commitment {
        let outcome = self.write_to_store().await.unwrap_or_else(|failure| {
            self.failure = Some(failure);
            CookieOutcome::Nothing
        });
        let cookie = self.response_cookie(outcome);
        if let Some(failure) = &self.failure {
            report_failure(&self.slot, &self.session, failure);
        }
        Commitment { cookie, read: true, failure: self.failure.take() }
    }

    /// Ends the sessions that the handler has ended, then carries out the decision.
    async fn write_to_store(&mut self) -> Result<CookieOutcome, WriteFailure> {
        let Self { slot, session, facts, decision, .. } = self;
        // With the intent to destroy, the decision itself ends them, and decides about the removal cookie. Otherwise a new
        // session has begun since. The old ones end before it is stored: if that fails, nothing of it is stored either
        // (R9).
        let ended = if session.pending.intent == Intent::Destroy {
            CookieOutcome::Nothing
        } else {
            end_sessions(&slot.config, session, CookieAction::Remove).await?
        };
        match apply_decision(slot, session, *facts, *decision).await {
            Ok(CookieOutcome::Nothing) => Ok(ended),
            Ok(CookieOutcome::Dropped) => {
                self.dropped = true;
                telemetry::commit_superseded(&slot.config.tags, session.loaded.id.as_ref());
                Ok(ended)
            }
            // A sign-out does not wait for the changes beside it (R11). The response reports their failure, but the
            // sign-out is written without them.
            Err(failure @ (WriteFailure::TooLarge | WriteFailure::Conflict | WriteFailure::Revoked))
                if session.is_stored() && matches!(facts.sign, Sign::Out | Sign::OutIn) =>
            {
                self.failure = Some(failure);
                update(slot, session, *facts, *decision, Write::SignOut).await
            }
            answer => answer,
        }
    }

    /// The cookie of the response.
    fn response_cookie(&mut self, outcome: CookieOutcome) -> Option<http::HeaderValue> {
        let Self { slot, session, facts, failure, .. } = self;
        let outcome = match (outcome, session.done.verifier) {
            // A verifier that an awaited call has stored goes out, even with a replaced response: the cookie that the browser
            // has is worthless by now (R12). Unless the connection must not carry it.
            (CookieOutcome::Nothing, Some(verifier)) if facts.sendable => {
                CookieOutcome::Set(verifier, session.loaded.record.epoch)
            }
            (outcome, _) => outcome,
        };
        match outcome {
            CookieOutcome::Set(verifier, epoch) => {
                let cookie = cookie::set_cookie(&slot.config, slot, session, epoch, verifier);
                if cookie.is_none() {
                    *failure = Some(WriteFailure::Cookie);
                }
                cookie
            }
            CookieOutcome::Remove if slot.config.settings.policy.removal == Removal::Cookie => {
                // A browser only removes a cookie with the attributes that were sent to it, not those that are pending (R21).
                session.pending.cookie = session
                    .done
                    .endings
                    .first()
                    .map_or_else(|| session.loaded.record.cookie.clone(), |ending| ending.cookie.clone());
                Some(cookie::removal_cookie(&slot.config, slot, session))
            }
            CookieOutcome::Nothing | CookieOutcome::Dropped | CookieOutcome::Remove => None,
        }
    }
}

fn report_failure(slot: &Slot, session: &RequestSession, failure: &WriteFailure) {
    let (tags, id) = (&slot.config.tags, session.loaded.id.as_ref());
    match failure {
        WriteFailure::Conflict | WriteFailure::Revoked => telemetry::commit_conflict(tags, id),
        WriteFailure::TooLarge | WriteFailure::Unencodable | WriteFailure::Cookie | WriteFailure::Store(_) => {
            telemetry::commit_failed(tags, id, failure);
        }
    }
}

async fn apply_decision(
    slot: &Slot,
    session: &mut RequestSession,
    facts: Facts,
    decision: Decision,
) -> Result<CookieOutcome, WriteFailure> {
    let config = &*slot.config;
    match decision.store {
        StoreAction::Nothing => Ok(current_cookie(session, decision.cookie)),
        StoreAction::Insert => {
            let verifier = write::insert_session(config, slot, session, Duration::ZERO).await?;
            Ok(CookieOutcome::Set(verifier, session.loaded.record.epoch))
        }
        StoreAction::Replace => replace(slot, session).await,
        StoreAction::Update(write) => update(slot, session, facts, decision, write).await,
        StoreAction::Touch => touch(config, session, decision.cookie).await,
        StoreAction::Destroy => {
            // The decision can end a session that the handler did not destroy, for example after `unset`.
            if session.done.endings.is_empty() {
                session.done.endings.extend(session.endable());
            }
            end_sessions(config, session, decision.cookie).await
        }
    }
}

/// The cookie of a session whose verifier does not change in this commit.
fn current_cookie(session: &RequestSession, cookie: CookieAction) -> CookieOutcome {
    let verifier = match session.loaded.presented {
        Presented::Current(verifier) => Some(verifier),
        // The request knows only the previous verifier. To send it would overwrite its successor in the browser (R6).
        Presented::Nothing | Presented::Previous => None,
    };
    // A verifier that an awaited call has stored is newer than the presented one.
    match (cookie, session.done.verifier.or(verifier)) {
        (CookieAction::Set, Some(verifier)) => CookieOutcome::Set(verifier, session.loaded.record.epoch),
        (CookieAction::Remove, _) => CookieOutcome::Remove,
        (CookieAction::Nothing, _) | (CookieAction::Set, None) => CookieOutcome::Nothing,
    }
}

async fn touch(
    config: &ErasedConfig,
    session: &mut RequestSession,
    cookie: CookieAction,
) -> Result<CookieOutcome, WriteFailure> {
    let Some(id) = &session.loaded.id else {
        return Ok(CookieOutcome::Nothing);
    };
    match store_call::touch(config, id, session.loaded.record.epoch, write::lifetime(config, session)).await {
        Ok(Touched::Applied) => Ok(current_cookie(session, cookie)),
        Ok(Touched::Missing | Touched::Superseded) => {
            // The record has another verifier now, or does not exist (R12).
            session.done.verifier = None;
            Ok(CookieOutcome::Dropped)
        }
        Err(error) => {
            // Not a failure of the commit: the handler stored nothing, so its response is still true (R12).
            telemetry::touch_failed(&config.tags, id, &error);
            Ok(CookieOutcome::Nothing)
        }
    }
}

async fn update(
    slot: &Slot,
    session: &mut RequestSession,
    facts: Facts,
    decision: Decision,
    write: Write,
) -> Result<CookieOutcome, WriteFailure> {
    let config = &*slot.config;
    let rotates = match write {
        Write::Everything => facts.intent == Intent::Rotate,
        Write::SignOut => true,
        Write::Renewal => false,
    };
    if write == Write::SignOut {
        // The session's own lifetimes ("remember me") go with the identity (R5), and `write::lifetime` reads them from what
        // is pending.
        session.discard();
    }
    if rotates && config.settings.format.rotates_into_new_record() {
        return replace(slot, session).await;
    }
    let Some(id) = session.loaded.id.clone() else {
        return Ok(CookieOutcome::Nothing);
    };
    let mut patch = match write {
        Write::Everything => session.patch(),
        Write::SignOut => session.sign_out_patch(),
        Write::Renewal => Patch::unchanged(&session.loaded.record),
    };
    // A renewal that is due goes along with any write.
    let renews = !rotates && facts.renewal_due && facts.current;
    let mut verifier = Verifier::default();
    if rotates || renews {
        let (drawn, new) = write::draw_verifier(config);
        verifier = drawn;
        let renewal = VerifierChange::Renew { current: session.loaded.record.verifier, new };
        patch.verifier = if rotates { VerifierChange::Rotate(new) } else { renewal };
    }
    // The index first, then the record, then the generation again: see the table in `index` (R28).
    index::relink(config, session, &id).await?;
    let identity = session.entering().filter(|_| write == Write::Everything);
    let sign_in = index::begin_sign_in(config, session, identity, &id).await?;
    let renewed =
        match write::apply_patch(config, &id, &session.loaded.record, patch, write::lifetime(config, session)).await? {
            Written::Applied { renewed, .. } => renewed,
            Written::Missing | Written::Superseded => return recover_from_loss(slot, session, &id).await,
        };
    if let Err(failure) = index::confirm_sign_in(config, sign_in, &id).await {
        // The record is destroyed, so no cookie may go out (R12).
        session.done.verifier = None;
        return Err(failure);
    }
    if rotates {
        return Ok(CookieOutcome::Set(verifier, session.loaded.record.epoch.next()));
    }
    Ok(match (renews, renewed) {
        // A renewal keeps the epoch.
        (true, true) => CookieOutcome::Set(verifier, session.loaded.record.epoch),
        // Another request renewed first, and its response carries the successor. Ours must not overwrite it (R6).
        (true, false) => CookieOutcome::Nothing,
        (false, _) => current_cookie(session, decision.cookie),
    })
}

/// Another request ended or rotated the session while this one ran (R11). Ordinary changes are dropped; a change of identity
/// may still be possible.
async fn recover_from_loss(
    slot: &Slot,
    session: &mut RequestSession,
    id: &SessionId,
) -> Result<CookieOutcome, WriteFailure> {
    // The verifier that an awaited call stored was lost with the session: it must not go out (R12).
    session.done.verifier = None;
    match session.pending.sign {
        Sign::Unchanged => Ok(CookieOutcome::Dropped),
        // A visitor signs in. Nobody else's session is at stake, so a new one begins, with what this request wrote.
        Sign::In if session.loaded.record.identity.is_none() => {
            session.keep_own_fields(cookie::first_cookie(&slot.config, slot));
            let verifier = write::insert_session(&slot.config, slot, session, Duration::ZERO).await?;
            Ok(CookieOutcome::Set(verifier, session.loaded.record.epoch))
        }
        Sign::In => Err(WriteFailure::Conflict),
        // The session may live on under another epoch. The sign-out still applies if its identity is the one that we loaded
        // (R6).
        Sign::Out | Sign::OutIn => {
            match (write::end_session(&slot.config, id, session.loaded.record.epoch, None).await?, session.pending.sign)
            {
                (Ended::Superseded, _) | (_, Sign::OutIn) => Err(WriteFailure::Conflict),
                (Ended::Destroyed, _) => {
                    telemetry::signed_out(&slot.config.tags, id);
                    Ok(CookieOutcome::Remove)
                }
                (Ended::Already, _) => Ok(CookieOutcome::Nothing),
            }
        }
    }
}

/// Ends the sessions that the handler has ended, except those whose end it has awaited. The first of them decides about the
/// removal cookie, because it is the session whose cookie came with the request.
async fn end_sessions(
    config: &ErasedConfig,
    session: &mut RequestSession,
    cookie: CookieAction,
) -> Result<CookieOutcome, WriteFailure> {
    let signs_in = matches!(session.pending.sign, Sign::In | Sign::OutIn);
    let mut first = None;
    for ending in &mut session.done.endings {
        let awaited = ending.done.is_some();
        let ended = match ending.done {
            Some(ended) => ended,
            None => write::end_session(config, &ending.id, ending.claimed, ending.loaded).await?,
        };
        ending.done = Some(ended);
        let outcome = match (ended, ending.origin) {
            // The handler has been told already.
            (Ended::Superseded, _) if awaited => CookieOutcome::Nothing,
            // A sign-in follows in a session of its own, so it does not matter that somebody else is signed in there.
            (Ended::Superseded, Origin::Late) if signs_in => CookieOutcome::Nothing,
            // The sign-out did not happen, and the response must not say that it did (R11, R12).
            (Ended::Superseded, _) => return Err(WriteFailure::Conflict),
            // Destroyed in a newer epoch, so the browser has, or is about to get, a cookie that fits nothing any more.
            (Ended::Destroyed, Origin::Late) => CookieOutcome::Remove,
            // `Already` of a late request: the browser may have a newer cookie by now, which must stay (R6). The cookie of
            // a new session was never sent, and an ambiguous request touches no cookie (R3).
            (Ended::Already, Origin::Late) | (_, Origin::New | Origin::Ambiguous) => CookieOutcome::Nothing,
            (Ended::Destroyed | Ended::Already, Origin::Found) if cookie == CookieAction::Remove => {
                CookieOutcome::Remove
            }
            (Ended::Destroyed | Ended::Already, Origin::Found) => CookieOutcome::Nothing,
        };
        first.get_or_insert(outcome);
    }
    Ok(first.unwrap_or(CookieOutcome::Nothing))
}
