//! Stage 7: the one store call that the decision names, and the cookie that its answer leaves.

use super::cookie::{self, CookieOutcome};
use super::replace::replace;
use super::{index, load, store_call};
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

use super::write::{self, Failure, Written};
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
use http_session_store::SessionId;
use http_session_store::Touched;
use http_session_store::record::{Patch, VerifierChange};

/// What the commit means for the response.
#[derive(Debug, Default)]
pub(crate) struct Commitment {
    /// `Set-Cookie`.
    pub(crate) cookie: Option<http::HeaderValue>,
    /// The session was read: the response varies by cookie (R20).
    pub(crate) read: bool,
    pub(crate) failure: Option<Failure>,
}

/// Whether there is a response that can carry a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Response,
    /// The inner service answered an error, or its future was dropped.
    Nowhere,
}

/// What the decision may look at.
fn facts(config: &ErasedConfig, slot: &Slot, session: &RequestSession, status: Status, delivery: Delivery) -> Facts {
    let stored = session.is_stored();
    let current = matches!(session.loaded.presented, Presented::Current(_)) || session.done.verifier.is_some();
    let ended = session.done.endings.first().filter(|_| session.pending.intent == Intent::Destroy);
    let origin = ended.map_or(session.loaded.origin, |ending| ending.origin);
    Facts {
        origin,
        intent: session.pending.intent,
        sign: session.pending.sign,
        status,
        modified: session.pending.modified,
        pending: session.pending.has_fields()
            || (session.pending.cookie_changed && config.settings.policy.resend == Resend::WhenChanged),
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
    const SHORT: Duration = Duration::from_secs(60);
    if config.settings.touch_throttle == 0 {
        return true;
    }
    let lifetime = write::lifetime(config, session);
    let left = session.loaded.record.expires_in;
    if left >= lifetime.time_left(Duration::ZERO, session.loaded.record.absolute_age()) {
        return false;
    }
    // By the idle lifetime alone: near the absolute end a touch gains less, and is due all the same.
    let throttle = lifetime.idle / 100 * u32::from(config.settings.touch_throttle);
    left < SHORT || lifetime.idle.saturating_sub(left) >= throttle || is_first_return(config, session)
}

/// Whether the session still has the short life of one whose cookie never came back (R14).
fn is_first_return(_config: &ErasedConfig, session: &RequestSession) -> bool {
    let ages = session.loaded.record.ages;
    session.loaded.origin == Origin::Found && session.loaded.record.identity.is_none() && ages.touched == ages.created
}

/// Commits what the request did to its session, and closes the slot.
pub(crate) async fn commit(slot: Arc<Slot>, status: Status, delivery: Delivery) -> Commitment {
    if slot.config.loads_always() {
        load::load(&slot).await;
    }
    // An awaited write that its handler gave up is still under way: what it stores is not to be written again.
    drop(slot.turn().await);
    match Plan::new(slot, status, delivery) {
        Ok(mut plan) => plan.commit().await,
        Err(commitment) => commitment,
    }
}

/// What a closed slot leaves to do.
pub(crate) struct Plan {
    slot: Arc<Slot>,
    session: Box<RequestSession>,
    facts: Facts,
    decision: Decision,
    failure: Option<Failure>,
    /// The session was gone or superseded, and the request's changes with it.
    dropped: bool,
}

impl Plan {
    /// Closes the slot and decides; where there is no session, nothing is left to do.
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
        let failure = session.pending.flaw.filter(|_| status != Status::Failed).map(Failure::from);
        if session.pending.flaw.is_some() {
            session.discard();
        }
        let facts = facts(&slot.config, &slot, session, status, delivery);
        // A rolling cookie goes with the record's life, which a passive request does not prolong (R7).
        let policy = slot.config.settings.policy;
        let policy = Policy { rolling: policy.rolling && !session.passive, ..policy };
        let decision = decide(facts, policy);
        let unsendable = facts.origin == Origin::New && facts.modified && !facts.sendable;
        let report = || {
            if unsendable && delivery == Delivery::Response {
                telemetry::cookie_unsendable();
            }
        };
        if !permits_everything(facts, policy) {
            // What the response discards decides neither how long the record lives nor what a cookie looks like.
            session.discard_cookie();
        }
        if decision == Decision::NOTHING
            && session.done.endings.is_empty()
            && session.done.verifier.is_none()
            && failure.is_none()
        {
            // Dropped in place: most requests only read.
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

    pub(crate) fn visits_store(&self) -> bool {
        self.decision.store != StoreAction::Nothing || !self.session.done.endings.is_empty()
    }

    pub(crate) async fn commit(&mut self) -> Commitment {
        let span = telemetry::commit_span(self.facts.status);
        let commitment = pin!(self.carry_out()).instrument(span).await;
        let outcome = match &commitment.failure {
            Some(failure) => CommitOutcome::Failed(failure.name()),
            None if self.dropped => CommitOutcome::Dropped,
            None => CommitOutcome::Done,
        };
        telemetry::commit_ended(self.decision.store, outcome);
        commitment
    }

    async fn carry_out(&mut self) -> Commitment {
        let mut cookie = self.run().await.unwrap_or_else(|error| {
            self.failure = Some(error);
            CookieOutcome::Nothing
        });
        let Self { slot, session, facts, failure, .. } = self;
        // A verifier that is in the store goes out, whatever became of the rest (R12), unless the connection is not for it.
        if let (CookieOutcome::Nothing, Some(verifier), true) = (&cookie, session.done.verifier, facts.sendable) {
            cookie = CookieOutcome::Set(verifier, session.loaded.record.epoch);
        }
        let cookie = match cookie {
            CookieOutcome::Set(verifier, epoch) => {
                let cookie = cookie::set_cookie(&slot.config, slot, session, epoch, verifier);
                if cookie.is_none() {
                    *failure = Some(Failure::Cookie);
                }
                cookie
            }
            CookieOutcome::Remove if slot.config.settings.policy.removal == Removal::Cookie => {
                // The browser has the cookie as it was sent.
                session.pending.cookie = session
                    .done
                    .endings
                    .first()
                    .map_or_else(|| session.loaded.record.cookie.clone(), |ending| ending.cookie.clone());
                Some(cookie::removal_cookie(&slot.config, slot, session))
            }
            CookieOutcome::Nothing | CookieOutcome::Dropped | CookieOutcome::Remove => None,
        };
        if let Some(failure) = &*failure {
            match failure {
                Failure::Conflict | Failure::Revoked => {
                    telemetry::commit_conflict(&slot.config.tags, session.loaded.id.as_ref());
                }
                Failure::TooLarge | Failure::Unencodable | Failure::Cookie | Failure::Store(_) => {
                    telemetry::commit_failed(&slot.config.tags, session.loaded.id.as_ref(), failure);
                }
            }
        }
        Commitment { cookie, read: true, failure: failure.take() }
    }

    async fn run(&mut self) -> Result<CookieOutcome, Failure> {
        let Self { slot, session, facts, decision, .. } = self;
        let left = if session.pending.intent == Intent::Destroy {
            CookieOutcome::Nothing
        } else {
            end(&slot.config, session, CookieAction::Remove).await?
        };
        match carry_out(slot, session, *facts, *decision).await {
            Ok(CookieOutcome::Nothing) => Ok(left),
            Ok(CookieOutcome::Dropped) => {
                self.dropped = true;
                telemetry::commit_superseded(&slot.config.tags, session.loaded.id.as_ref());
                Ok(left)
            }
            // What cannot be written takes a sign-out with it no more than a failed response does (R11).
            Err(failure @ (Failure::TooLarge | Failure::Conflict | Failure::Revoked))
                if session.is_stored() && matches!(facts.sign, Sign::Out | Sign::OutIn) =>
            {
                self.failure = Some(failure);
                update(slot, session, *facts, *decision, Write::SignOut).await
            }
            answer => answer,
        }
    }
}

async fn carry_out(
    slot: &Slot,
    session: &mut RequestSession,
    facts: Facts,
    decision: Decision,
) -> Result<CookieOutcome, Failure> {
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
            if session.done.endings.is_empty() {
                session.done.endings.extend(session.endable());
            }
            end(config, session, decision.cookie).await
        }
    }
}

/// The cookie of a session whose verifier does not change now.
fn current_cookie(session: &RequestSession, cookie: CookieAction) -> CookieOutcome {
    let verifier = match session.loaded.presented {
        Presented::Current(verifier) => Some(verifier),
        Presented::Nothing | Presented::Previous => None,
    };
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
) -> Result<CookieOutcome, Failure> {
    let Some(id) = &session.loaded.id else {
        return Ok(CookieOutcome::Nothing);
    };
    match store_call::touch(config, id, session.loaded.record.epoch, write::lifetime(config, session)).await {
        Ok(Touched::Applied) => Ok(current_cookie(session, cookie)),
        Ok(Touched::Missing | Touched::Superseded) => {
            session.done.verifier = None;
            Ok(CookieOutcome::Dropped)
        }
        Err(error) => {
            // The handler's answer is still true: nothing of it was to be stored.
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
) -> Result<CookieOutcome, Failure> {
    let config = &*slot.config;
    let rotates = match write {
        Write::Everything => facts.intent == Intent::Rotate,
        Write::SignOut => true,
        Write::Renewal => false,
    };
    if write == Write::SignOut {
        // So that the session's own lifetimes go with the identity.
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
    let renews = !rotates && facts.renewal_due && facts.current;
    let mut verifier = Verifier::default();
    if rotates || renews {
        let (drawn, new) = write::draw_verifier(config);
        verifier = drawn;
        let renewal = VerifierChange::Renew { current: session.loaded.record.verifier, new };
        patch.verifier = if rotates { VerifierChange::Rotate(new) } else { renewal };
    }
    index::relink(config, session, &id).await?;
    let entry = index::enter(config, session, session.entering().filter(|_| write == Write::Everything), &id).await?;
    let renewed =
        match write::apply_patch(config, &id, &session.loaded.record, patch, write::lifetime(config, session)).await? {
            Written::Applied { renewed, .. } => renewed,
            Written::Missing | Written::Superseded => return gone(slot, session, &id).await,
        };
    if let Err(failure) = index::confirm(config, entry, &id).await {
        session.done.verifier = None;
        return Err(failure);
    }
    if rotates {
        return Ok(CookieOutcome::Set(verifier, session.loaded.record.epoch.next()));
    }
    Ok(match (renews, renewed) {
        (true, true) => CookieOutcome::Set(verifier, session.loaded.record.epoch),
        (true, false) => CookieOutcome::Nothing,
        (false, _) => current_cookie(session, decision.cookie),
    })
}

/// The session was ended or rotated by another request while this one ran (R11).
async fn gone(slot: &Slot, session: &mut RequestSession, id: &SessionId) -> Result<CookieOutcome, Failure> {
    // What an awaited call stored is gone with it: its verifier fits nothing any more (R12).
    session.done.verifier = None;
    match session.pending.sign {
        Sign::Unchanged => Ok(CookieOutcome::Dropped),
        // A visitor signs in: a new session, with what this request wrote.
        Sign::In if session.loaded.record.identity.is_none() => {
            session.keep_own_fields(cookie::first_cookie(&slot.config, slot));
            let verifier = write::insert_session(&slot.config, slot, session, Duration::ZERO).await?;
            Ok(CookieOutcome::Set(verifier, session.loaded.record.epoch))
        }
        Sign::In => Err(Failure::Conflict),
        Sign::Out | Sign::OutIn => {
            match (write::end_session(&slot.config, id, session.loaded.record.epoch, None).await?, session.pending.sign)
            {
                (Ended::Superseded, _) | (_, Sign::OutIn) => Err(Failure::Conflict),
                (Ended::Destroyed, _) => {
                    telemetry::signed_out(&slot.config.tags, id);
                    Ok(CookieOutcome::Remove)
                }
                (Ended::Already, _) => Ok(CookieOutcome::Nothing),
            }
        }
    }
}

/// Ends what the handler has ended, unless it has awaited that. The first decides about the removal cookie: it is the session
/// whose cookie came with the request.
async fn end(
    config: &ErasedConfig,
    session: &mut RequestSession,
    cookie: CookieAction,
) -> Result<CookieOutcome, Failure> {
    let signs_in = matches!(session.pending.sign, Sign::In | Sign::OutIn);
    let mut now = None;
    for ending in &mut session.done.endings {
        let awaited = ending.done.is_some();
        let ended = match ending.done {
            Some(ended) => ended,
            None => write::end_session(config, &ending.id, ending.claimed, ending.loaded).await?,
        };
        ending.done = Some(ended);
        let left = match (ended, ending.origin) {
            // The handler knows the answer; or a sign-in follows, for which it does not matter who else is signed in.
            (Ended::Superseded, _) if awaited => CookieOutcome::Nothing,
            (Ended::Superseded, Origin::Late) if signs_in => CookieOutcome::Nothing,
            (Ended::Superseded, _) => return Err(Failure::Conflict),
            (Ended::Destroyed, Origin::Late) => CookieOutcome::Remove,
            (Ended::Already, Origin::Late) | (_, Origin::New | Origin::Ambiguous) => CookieOutcome::Nothing,
            (Ended::Destroyed | Ended::Already, Origin::Found) if cookie == CookieAction::Remove => {
                CookieOutcome::Remove
            }
            (Ended::Destroyed | Ended::Already, Origin::Found) => CookieOutcome::Nothing,
        };
        now.get_or_insert(left);
    }
    Ok(now.unwrap_or(CookieOutcome::Nothing))
}
