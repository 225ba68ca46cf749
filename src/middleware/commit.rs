//! Stage 7: the one store call that the decision names, and the cookie that its answer leaves.

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

use super::write::{Failure, Written};
use crate::config::Core;
use crate::decide::{
    CookieAction, Decision, Facts, Intent, Origin, Policy, Removal, Resend, Sign, Status, StoreAction, Write, decide,
    permits_everything,
};
use crate::error::StoreErrorKind;
use crate::record::{Epoch, Patch, VerifierChange};
use crate::session::changes::{Ended, Ending, Live, Presented, Verifier};
use crate::session::slot::{Slot, State};
use crate::store::SessionId;
use crate::store::{Destroyed, Touched};
use crate::telemetry::{self, CommitOutcome};

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

impl Core {
    /// What the decision may look at.
    fn facts(&self, slot: &Slot, live: &Live, status: Status, delivery: Delivery) -> Facts {
        let stored = live.is_stored();
        let current = matches!(live.presented, Presented::Current(_)) || live.stored_verifier.is_some();
        let ended = live.endings.first().filter(|_| live.intent == Intent::Destroy);
        let origin = ended.map_or(live.origin, |ending| ending.origin);
        Facts {
            origin,
            intent: live.intent,
            sign: live.sign,
            status,
            modified: live.modified,
            pending: live.is_pending() || (live.cookie_changed && self.settings.policy.resend == Resend::WhenChanged),
            saved: live.saved || (ended.is_some() && origin == Origin::New),
            cookie_changed: live.cookie_unsent,
            expires: self.expires(slot, live),
            touch_due: stored && !live.passive && (live.touch || self.touch_is_due(live)),
            renewal_due: live.origin == Origin::Found
                && !live.saved
                && self.settings.renew_after.is_some_and(|period| live.record.ages.verifier >= period),
            resign: live.resign,
            current,
            sendable: delivery == Delivery::Response && self.sendable(slot, live),
        }
    }

    /// Whether enough time has passed since the last touch (R7).
    fn touch_is_due(&self, live: &Live) -> bool {
        const SHORT: Duration = Duration::from_secs(60);
        if self.settings.touch_throttle == 0 {
            return true;
        }
        let lifetime = self.lifetime(live);
        let left = live.record.expires_in;
        if left >= lifetime.time_left(Duration::ZERO, live.record.absolute_age()) {
            return false;
        }
        // By the idle lifetime alone: near the absolute end a touch gains less, and is due all the same.
        let throttle = lifetime.idle / 100 * u32::from(self.settings.touch_throttle);
        left < SHORT || lifetime.idle.saturating_sub(left) >= throttle || self.is_first_return(live)
    }

    /// Whether the session still has the short life of one whose cookie never came back (R14).
    fn is_first_return(&self, live: &Live) -> bool {
        let ages = live.record.ages;
        live.origin == Origin::Found && live.record.identity.is_none() && ages.touched == ages.created
    }
}

/// The cookie that the store's answer leaves.
enum CookieNow {
    Nothing,
    /// None: the session was ended or rotated elsewhere, and this request's changes are dropped (R11).
    Dropped,
    /// The verifier, and the epoch of its record.
    Set(Verifier, Epoch),
    Remove,
}

/// Commits what the request did to its session, and closes the slot.
pub(crate) async fn commit(slot: Arc<Slot>, status: Status, delivery: Delivery) -> Commitment {
    if slot.core.loads_always() {
        slot.load().await;
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
    live: Live,
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
            telemetry::handle_alive(&slot.core, slot.record_id().as_ref(), handles);
        }
        let mut state = slot.lock();
        let live = match &mut *state {
            State::Live(live) => live,
            // Nothing is written in a request whose session could not be loaded (R18).
            State::Failed => return Err(Commitment { read: true, ..Commitment::default() }),
            State::Unloaded | State::Outside | State::Closed => return Err(Commitment::default()),
        };
        let failure = live.flaw.filter(|_| status != Status::Failed).map(Failure::from);
        if live.flaw.is_some() {
            live.discard();
        }
        let facts = slot.core.facts(&slot, live, status, delivery);
        // A rolling cookie goes with the record's life, which a passive request does not prolong (R7).
        let policy = slot.core.settings.policy;
        let policy = Policy { rolling: policy.rolling && !live.passive, ..policy };
        let decision = decide(facts, policy);
        let unsendable = facts.origin == Origin::New && facts.modified && !facts.sendable;
        let report = || {
            if unsendable && delivery == Delivery::Response {
                telemetry::cookie_unsendable();
            }
        };
        if !permits_everything(facts, policy) {
            // What the response discards decides neither how long the record lives nor what a cookie looks like.
            live.discard_cookie();
        }
        if decision == Decision::NOTHING
            && live.endings.is_empty()
            && live.stored_verifier.is_none()
            && failure.is_none()
        {
            // Dropped in place: most requests only read.
            *state = State::Closed;
            drop(state);
            report();
            telemetry::commit_ended(decision.store, CommitOutcome::Done);
            return Err(Commitment { read: true, ..Commitment::default() });
        }
        let State::Live(live) = mem::replace(&mut *state, State::Closed) else {
            return Err(Commitment::default());
        };
        drop(state);
        report();
        Ok(Self { slot, live, facts, decision, failure, dropped: false })
    }

    pub(crate) fn visits_store(&self) -> bool {
        self.decision.store != StoreAction::Nothing || !self.live.endings.is_empty()
    }

    pub(crate) async fn commit(&mut self) -> Commitment {
        let span = telemetry::commit_span(self.facts.status);
        let commitment = pin!(self.carry_out()).instrument(span).await;
        let outcome = match &commitment.failure {
            Some(failure) => CommitOutcome::Failed(failure),
            None if self.dropped => CommitOutcome::Dropped,
            None => CommitOutcome::Done,
        };
        telemetry::commit_ended(self.decision.store, outcome);
        commitment
    }

    async fn carry_out(&mut self) -> Commitment {
        let mut cookie = self.run().await.unwrap_or_else(|error| {
            self.failure = Some(error);
            CookieNow::Nothing
        });
        let Self { slot, live, facts, failure, .. } = self;
        // A verifier that is in the store goes out, whatever became of the rest (R12), unless the connection is not for it.
        if let (CookieNow::Nothing, Some(verifier), true) = (&cookie, live.stored_verifier, facts.sendable) {
            cookie = CookieNow::Set(verifier, live.record.epoch);
        }
        let cookie = match cookie {
            CookieNow::Set(verifier, epoch) => {
                let cookie = slot.core.set_cookie(slot, live, epoch, verifier);
                if cookie.is_none() {
                    *failure = Some(Failure::Cookie);
                }
                cookie
            }
            CookieNow::Remove if slot.core.settings.policy.removal == Removal::Cookie => {
                // The browser has the cookie as it was sent.
                live.cookie =
                    live.endings.first().map_or_else(|| live.record.cookie.clone(), |ending| ending.cookie.clone());
                Some(slot.core.removal_cookie(slot, live))
            }
            CookieNow::Nothing | CookieNow::Dropped | CookieNow::Remove => None,
        };
        if let Some(failure) = &*failure {
            telemetry::commit_failed(&slot.core, live.id.as_ref(), failure);
        }
        Commitment { cookie, read: true, failure: failure.take() }
    }

    async fn run(&mut self) -> Result<CookieNow, Failure> {
        let Self { slot, live, facts, decision, .. } = self;
        let left = if live.intent == Intent::Destroy {
            CookieNow::Nothing
        } else {
            end(&slot.core, live, CookieAction::Remove).await?
        };
        match carry_out(slot, live, *facts, *decision).await {
            Ok(CookieNow::Nothing) => Ok(left),
            Ok(CookieNow::Dropped) => {
                self.dropped = true;
                telemetry::commit_superseded(&slot.core, live.id.as_ref());
                Ok(left)
            }
            // What cannot be written takes a sign-out with it no more than a failed response does (R11).
            Err(failure @ (Failure::TooLarge | Failure::Conflict | Failure::Revoked))
                if live.is_stored() && matches!(facts.sign, Sign::Out | Sign::OutIn) =>
            {
                self.failure = Some(failure);
                update(slot, live, *facts, *decision, Write::SignOut).await
            }
            answer => answer,
        }
    }
}

async fn carry_out(slot: &Slot, live: &mut Live, facts: Facts, decision: Decision) -> Result<CookieNow, Failure> {
    let core = &*slot.core;
    match decision.store {
        StoreAction::Nothing => Ok(standing(live, decision.cookie)),
        StoreAction::Insert => {
            let verifier = core.insert(slot, live, Duration::ZERO).await?;
            Ok(CookieNow::Set(verifier, live.record.epoch))
        }
        StoreAction::Replace => replace(slot, live).await,
        StoreAction::Update(write) => update(slot, live, facts, decision, write).await,
        StoreAction::Touch => touch(core, live, decision.cookie).await,
        StoreAction::Destroy => {
            if live.endings.is_empty() {
                live.endings.extend(live.endable());
            }
            end(core, live, decision.cookie).await
        }
    }
}

/// The cookie of a session whose verifier does not change now.
fn standing(live: &Live, cookie: CookieAction) -> CookieNow {
    let verifier = match live.presented {
        Presented::Current(verifier) => Some(verifier),
        Presented::Nothing | Presented::Previous => None,
    };
    match (cookie, live.stored_verifier.or(verifier)) {
        (CookieAction::Set, Some(verifier)) => CookieNow::Set(verifier, live.record.epoch),
        (CookieAction::Remove, _) => CookieNow::Remove,
        (CookieAction::Nothing, _) | (CookieAction::Set, None) => CookieNow::Nothing,
    }
}

async fn touch(core: &Core, live: &mut Live, cookie: CookieAction) -> Result<CookieNow, Failure> {
    let Some(id) = &live.id else {
        return Ok(CookieNow::Nothing);
    };
    match core.touch_record(id, live.record.epoch, core.lifetime(live)).await {
        Ok(Touched::Applied) => Ok(standing(live, cookie)),
        Ok(Touched::Missing | Touched::Superseded) => {
            live.stored_verifier = None;
            Ok(CookieNow::Dropped)
        }
        Err(error) => {
            // The handler's answer is still true: nothing of it was to be stored.
            telemetry::touch_failed(core, id, &error);
            Ok(CookieNow::Nothing)
        }
    }
}

async fn update(
    slot: &Slot,
    live: &mut Live,
    facts: Facts,
    decision: Decision,
    write: Write,
) -> Result<CookieNow, Failure> {
    let core = &*slot.core;
    let rotates = match write {
        Write::Everything => facts.intent == Intent::Rotate,
        Write::SignOut => true,
        Write::Renewal => false,
    };
    if write == Write::SignOut {
        // So that the session's own lifetimes go with the identity.
        live.discard();
    }
    if rotates && core.settings.format.renames() {
        return replace(slot, live).await;
    }
    let Some(id) = live.id.clone() else {
        return Ok(CookieNow::Nothing);
    };
    let mut patch = match write {
        Write::Everything => live.patch(),
        Write::SignOut => live.sign_out_patch(),
        Write::Renewal => Patch::unchanged(&live.record),
    };
    let renews = !rotates && facts.renewal_due && facts.current;
    let mut verifier = Verifier::default();
    if rotates || renews {
        let (drawn, new) = core.draw_verifier();
        verifier = drawn;
        let renewal = VerifierChange::Renew { current: live.record.verifier, new };
        patch.verifier = if rotates { VerifierChange::Rotate(new) } else { renewal };
    }
    core.relink(live, &id).await?;
    let entry = core.enter(live, live.entering().filter(|_| write == Write::Everything), &id).await?;
    let renewed = match core.update(&id, &live.record, patch, core.lifetime(live)).await? {
        Written::Applied { renewed, .. } => renewed,
        Written::Missing | Written::Superseded => return gone(slot, live, &id).await,
    };
    if let Err(failure) = core.confirm(entry, &id).await {
        live.stored_verifier = None;
        return Err(failure);
    }
    if rotates {
        return Ok(CookieNow::Set(verifier, live.record.epoch.next()));
    }
    Ok(match (renews, renewed) {
        (true, true) => CookieNow::Set(verifier, live.record.epoch),
        (true, false) => CookieNow::Nothing,
        (false, _) => standing(live, decision.cookie),
    })
}

/// The session was ended or rotated by another request while this one ran (R11).
async fn gone(slot: &Slot, live: &mut Live, id: &SessionId) -> Result<CookieNow, Failure> {
    // What an awaited call stored is gone with it: its verifier fits nothing any more (R12).
    live.stored_verifier = None;
    match live.sign {
        Sign::Unchanged => Ok(CookieNow::Dropped),
        // A visitor signs in: a new session, with what this request wrote.
        Sign::In if live.record.identity.is_none() => {
            live.keep_own_fields(slot.core.first_cookie(slot));
            let verifier = slot.core.insert(slot, live, Duration::ZERO).await?;
            Ok(CookieNow::Set(verifier, live.record.epoch))
        }
        Sign::In => Err(Failure::Conflict),
        Sign::Out | Sign::OutIn => match (slot.core.end(id, live.record.epoch, None).await?, live.sign) {
            (Ended::Superseded, _) | (_, Sign::OutIn) => Err(Failure::Conflict),
            (Ended::Destroyed, _) => {
                telemetry::signed_out(&slot.core, id);
                Ok(CookieNow::Remove)
            }
            (Ended::Already, _) => Ok(CookieNow::Nothing),
        },
    }
}

/// Inserts the new session, then ends those that it follows, so that nothing is lost between. Where these cannot be ended,
/// the new one goes again: the browser keeps the cookie with which it can try once more.
async fn replace(slot: &Slot, live: &mut Live) -> Result<CookieNow, Failure> {
    let core = &*slot.core;
    let follows = live.endable();
    let tossed = mem::take(&mut live.tossed);
    let carries_on = live.intent != Intent::Regenerate && live.sign == Sign::Unchanged;
    if let (Some(follows), true) = (&follows, carries_on) {
        // The copy is as fresh as it can be: what others wrote since it was loaded goes along.
        match core.load_record(&follows.id).await? {
            Some(record) if record.epoch == live.record.epoch => {
                let merged = live.patch().merge_into(&record.fields);
                live.adopt(record, merged);
            }
            Some(_) | None => {}
        }
    }
    let age = if carries_on { live.record.absolute_age() } else { Duration::ZERO };
    let before = (live.id.clone(), live.record.clone(), live.stored_verifier.take());
    let verifier = match core.insert(slot, live, age).await {
        Ok(verifier) => verifier,
        Err(failure) => {
            live.stored_verifier = before.2;
            return Err(failure);
        }
    };
    let left = async {
        for (id, epoch) in tossed {
            let _ = core.destroy_record(&id, Some(epoch)).await?;
        }
        match &follows {
            Some(follows) => leave(core, live, follows).await,
            None => Ok(Left::GoOn),
        }
    };
    let left = left.await;
    if let Ok(Left::GoOn) = left {
        if let (Some(id), Some(follows)) = (&live.id, &follows) {
            telemetry::replaced(core, id, &follows.id, live.sign);
        }
        return Ok(CookieNow::Set(verifier, live.record.epoch));
    }
    if let Some(id) = &live.id {
        // As far as it can be done; its cookie never leaves.
        let _ = core.destroy_record(id, None).await;
    }
    match left {
        Ok(Left::Alone) => {
            live.keep_own_fields(core.first_cookie(slot));
            let verifier = core.insert(slot, live, Duration::ZERO).await?;
            Ok(CookieNow::Set(verifier, live.record.epoch))
        }
        Ok(Left::GoOn | Left::Lost) => Ok(CookieNow::Dropped),
        Err(failure) => {
            if !matches!(failure, Failure::Conflict) {
                // The old record is there yet, and so is what an awaited call stored of it.
                (live.id, live.record, live.stored_verifier) = before;
            }
            Err(failure)
        }
    }
}

/// Whether a new session may take the place of the one that it follows.
enum Left {
    GoOn,
    /// That one was ended elsewhere, and with it what the new one carries on.
    Lost,
    /// That one was ended elsewhere; a sign-in goes on with what this request wrote.
    Alone,
}

async fn leave(core: &Core, live: &Live, follows: &Ending) -> Result<Left, Failure> {
    let carries_on = live.intent != Intent::Regenerate;
    let answer = if follows.identity && (!carries_on || matches!(live.sign, Sign::Out | Sign::OutIn)) {
        core.end(&follows.id, follows.claimed, follows.loaded).await
    } else {
        core.destroy_record(&follows.id, follows.loaded).await.map(|destroyed| match destroyed {
            Destroyed::Destroyed => Ended::Destroyed,
            Destroyed::Missing | Destroyed::Superseded => Ended::Superseded,
        })
    };
    let ended = match answer {
        Err(error) if error.kind() == StoreErrorKind::Unknown && core.is_gone(&follows.id).await? => Ended::Destroyed,
        answer => answer?,
    };
    match (ended, live.sign) {
        (Ended::Destroyed, _) | (Ended::Already, Sign::Out | Sign::OutIn) => Ok(Left::GoOn),
        (Ended::Superseded, Sign::Out | Sign::OutIn) => Err(Failure::Conflict),
        // The identity that this sign-in switches from was signed out elsewhere.
        (Ended::Already | Ended::Superseded, Sign::In) if follows.identity => Err(Failure::Conflict),
        (Ended::Already | Ended::Superseded, Sign::In) if carries_on => Ok(Left::Alone),
        (Ended::Already | Ended::Superseded, Sign::In) => Ok(Left::GoOn),
        (Ended::Already | Ended::Superseded, Sign::Unchanged) if carries_on => Ok(Left::Lost),
        (Ended::Already | Ended::Superseded, Sign::Unchanged) => Ok(Left::GoOn),
    }
}

/// Ends what the handler has ended, unless it has awaited that. The first decides about the removal cookie: it is the session
/// whose cookie came with the request.
async fn end(core: &Core, live: &mut Live, cookie: CookieAction) -> Result<CookieNow, Failure> {
    let signs_in = matches!(live.sign, Sign::In | Sign::OutIn);
    let mut now = None;
    for ending in &mut live.endings {
        let awaited = ending.done.is_some();
        let ended = match ending.done {
            Some(ended) => ended,
            None => core.end(&ending.id, ending.claimed, ending.loaded).await?,
        };
        ending.done = Some(ended);
        let left = match (ended, ending.origin) {
            // The handler knows the answer; or a sign-in follows, for which it does not matter who else is signed in.
            (Ended::Superseded, _) if awaited => CookieNow::Nothing,
            (Ended::Superseded, Origin::Late) if signs_in => CookieNow::Nothing,
            (Ended::Superseded, _) => return Err(Failure::Conflict),
            (Ended::Destroyed, Origin::Late) => CookieNow::Remove,
            (Ended::Already, Origin::Late) | (_, Origin::New | Origin::Tossed) => CookieNow::Nothing,
            (Ended::Destroyed | Ended::Already, Origin::Found) if cookie == CookieAction::Remove => CookieNow::Remove,
            (Ended::Destroyed | Ended::Already, Origin::Found) => CookieNow::Nothing,
        };
        now.get_or_insert(left);
    }
    Ok(now.unwrap_or(CookieNow::Nothing))
}
