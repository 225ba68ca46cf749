//! R7 and R14 with random clocks, limits and requests: no session lives past its upper bound or ends before its lower
//! bound.

use std::time::Duration;

use http_session::{Session, config::Lifetimes};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::support::{Answer, Browser, Rig, Visit, seconds};

const YEAR: Duration = Duration::from_secs(365 * 86_400);
const MILLISECOND: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
struct Limits {
    idle: Duration,
    absolute: Duration,
    unconfirmed: Duration,
    /// In percent.
    throttle: u8,
    max_age: Option<Duration>,
    rolling: bool,
    renew_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Look,
    Write,
    Touch,
    Rotate,
    SignIn(&'static str),
    SignOut,
    MaxAge(Duration),
    Own(Lifetimes),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Visit {
        action: Action,
        is_passive: bool,
    },
    Wait(Duration),
    /// Waits this percentage of the idle lifetime.
    WaitPart(u32),
    /// Waits until the session's end, or a nanosecond before or after it.
    WaitForEnd(i8),
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        1 => Just(MILLISECOND),
        3 => (1..200_000_u64).prop_map(Duration::from_millis),
        3 => (1..3000_u64).prop_map(|minutes| seconds(60 * minutes)),
        2 => (1..90_u64).prop_map(|days| seconds(86_400 * days)),
        1 => Just(400 * YEAR),
    ]
}

fn limit() -> impl Strategy<Value = Duration> {
    prop_oneof![9 => duration(), 1 => Just(Duration::MAX)]
}

fn limits() -> impl Strategy<Value = Limits> {
    let throttle = prop_oneof![1 => Just(0), 2 => Just(10), 1 => Just(100), 3 => 0..=100_u8];
    let (max_age, renew_after) = (option::of(duration()), option::weighted(0.3, duration()));
    (limit(), limit(), limit(), throttle, max_age, any::<bool>(), renew_after).prop_map(
        |(idle, absolute, unconfirmed, throttle, max_age, rolling, renew_after)| {
            let rolling = rolling && max_age.is_some();
            Limits { idle, absolute, unconfirmed, throttle, max_age, rolling, renew_after }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let action = prop_oneof![
        8 => Just(Action::Look),
        2 => Just(Action::Write),
        1 => Just(Action::Touch),
        1 => Just(Action::Rotate),
        2 => prop_oneof![Just("ada"), Just("bob")].prop_map(Action::SignIn),
        1 => Just(Action::SignOut),
        1 => duration().prop_map(Action::MaxAge),
        1 => (duration(), duration()).prop_map(|(idle, absolute)| Action::Own(Lifetimes::new(idle, absolute))),
    ];
    let is_passive = proptest::bool::weighted(0.15);
    prop_oneof![
        6 => (action, is_passive).prop_map(|(action, is_passive)| Step::Visit { action, is_passive }),
        2 => prop_oneof![2 => duration(), 1 => Just(20 * YEAR)].prop_map(|time| Step::Wait(time.min(20 * YEAR))),
        3 => (0..115_u32).prop_map(Step::WaitPart),
        1 => (-1..=1_i8).prop_map(Step::WaitForEnd),
    ]
}

/// What the model knows of the session.
#[derive(Clone, Debug, Default)]
struct Model {
    user: Option<&'static str>,
    own: Own,
    /// The time from which the absolute lifetime counts.
    since: Duration,
    /// The session must be alive before the first time, and gone from the second time on.
    bounds: (Duration, Duration),
    is_confirmed: bool,
}

/// The session's own lifetimes, set at its sign-in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Own {
    lifetimes: Option<Lifetimes>,
    max_age: Option<Duration>,
}

impl Limits {
    fn rig(self) -> Rig {
        Rig::with(true, |builder| {
            let builder = builder.idle(self.idle).absolute(self.absolute).unconfirmed(self.unconfirmed);
            let builder = builder.touch_throttle(self.throttle);
            let builder = match self.renew_after {
                Some(period) => builder.renew_after(period),
                None => builder,
            };
            match (self.max_age, self.rolling) {
                (None, _) => builder.build(),
                (Some(max_age), false) => builder.max_age(max_age).build(),
                (Some(max_age), true) => builder.max_age(max_age).rolling().build(),
            }
        })
    }

    fn of(self, own: Own) -> Lifetimes {
        let configured = Lifetimes::new(own.max_age.unwrap_or(self.idle), self.absolute);
        own.lifetimes.unwrap_or(configured)
    }

    /// Applies a request to a session, or to no session. `left` is the time that its record had left when it was
    /// loaded.
    fn after(
        self,
        before: Option<&Model>,
        action: Action,
        is_passive: bool,
        left: Duration,
        now: Duration,
    ) -> Option<Model> {
        let mut model = before.cloned().unwrap_or_default();
        match action {
            Action::SignIn(user) => {
                if model.user.is_some_and(|before| before != user) {
                    model.own = Own::default();
                }
                (model.user, model.since) = (Some(user), now);
            }
            Action::SignOut if model.user.is_some() => {
                (model.user, model.own, model.since) = (None, Own::default(), now);
            }
            // A session with the configured `max_age` has no `max_age` of its own.
            Action::MaxAge(max_age) => model.own.max_age = Some(max_age).filter(|own| Some(*own) != self.max_age),
            Action::Own(own) => model.own.lifetimes = Some(own),
            _ => {}
        }
        let Lifetimes { idle, absolute, .. } = self.of(model.own);
        let Some(before) = before else {
            // Reading a session, or setting only cookie attributes, does not store it.
            let (Action::Write | Action::SignIn(_)) = action else { return None };
            let idle = if model.user.is_some() { idle } else { idle.min(self.unconfirmed) };
            let end = now.saturating_add(idle.min(absolute));
            return Some(Model { since: now, bounds: (end, end), is_confirmed: model.user.is_some(), ..model });
        };
        let writes = match action {
            Action::Look | Action::Touch => false,
            Action::SignOut => before.user.is_some(),
            Action::MaxAge(_) | Action::Own(_) => model.own != before.own,
            Action::Write | Action::Rotate | Action::SignIn(_) => true,
        };
        let cap = model.since.saturating_add(absolute).max(now);
        let whole = now.saturating_add(idle);
        let is_set =
            self.of(model.own) != self.of(before.own) || (model.own != before.own && model.own != Own::default());
        let (low, high) = before.bounds;
        let (low, high) = if is_passive {
            // Not activity, but nothing outlives its absolute end.
            (low, high)
        } else if writes && is_set {
            (whole, whole)
        } else if writes || matches!(action, Action::Touch) || !before.is_confirmed || left < seconds(60) {
            (low.max(whole), high.max(whole))
        } else {
            let least = idle - idle / 100 * u32::from(self.throttle);
            (low.max(now.saturating_add(least)), high.max(whole))
        };
        // A write applies the absolute end as configured today.
        let cap = if writes || !is_passive { cap } else { Duration::MAX };
        model.bounds = (low.min(cap), high.min(cap));
        model.is_confirmed |= !is_passive || model.user.is_some();
        Some(model)
    }
}

struct Play {
    limits: Limits,
    rig: Rig,
    now: Duration,
    browser: Browser,
    model: Option<Model>,
}

impl Play {
    fn wait(&mut self, time: Duration) {
        self.rig.clock.advance(time);
        self.now += time;
    }

    /// Returns the time that the record has left, or `None` if the session is gone. Its bounds must allow either.
    async fn left(&mut self) -> Result<Option<Duration>, TestCaseError> {
        let Some(model) = &self.model else { return Ok(None) };
        let (low, high) = model.bounds;
        match self.rig.ids().await.first() {
            Some(id) => {
                let left = self.rig.record(id).await.unwrap().expires_in;
                prop_assert!(self.now < high, "alive past its upper bound: {left:?} {model:?}");
                let end = self.now.saturating_add(left);
                prop_assert!((low..=high).contains(&end), "{end:?} {model:?}");
                Ok(Some(left))
            }
            None => {
                prop_assert!(self.now >= low, "gone before its lower bound: {:?} {model:?}", self.now);
                self.model = None;
                Ok(None)
            }
        }
    }

    async fn visit(&mut self, action: Action, is_passive: bool) -> Result<(), TestCaseError> {
        let left = self.left().await?;
        self.rig.store.take_calls();
        let work = async move |mut s: Session<Visit>| {
            let seen = format!("{:?}", s.expires_in());
            if is_passive {
                s.passive();
            }
            match action {
                Action::Look => {}
                Action::Write => s.views += 1,
                Action::Touch => s.touch(),
                Action::Rotate => s.rotate(),
                Action::SignIn(user) => s.sign_in(user.to_owned()),
                Action::SignOut => s.user = None,
                Action::MaxAge(max_age) => s.cookie_mut().max_age = Some(max_age),
                Action::Own(own) => s.set_lifetimes(own),
            }
            seen
        };
        let answer = self.rig.ask(&self.browser, work).await;
        self.keep(&answer);
        prop_assert_eq!(&answer.text, &format!("{left:?}"));
        let before = self.model.take();
        self.model = self.limits.after(before.as_ref(), action, is_passive, left.unwrap_or_default(), self.now);
        self.cookie(&answer, before.as_ref(), action, is_passive)?;
        self.left().await?;
        Ok(())
    }

    /// Keeps the cookie even if its time rounds to zero, which a browser would take for a removal.
    fn keep(&mut self, answer: &Answer) {
        for line in answer.set_cookies() {
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.browser.set_cookie(name, value);
        }
    }

    fn cookie(
        &self,
        answer: &Answer,
        before: Option<&Model>,
        action: Action,
        is_passive: bool,
    ) -> Result<(), TestCaseError> {
        let calls = self.rig.store.take_names();
        let cookies = answer.set_cookies();
        let Some(model) = &self.model else {
            prop_assert!(cookies.is_empty());
            return Ok(());
        };
        let absolute = self.limits.of(model.own).absolute;
        let left = model.since.saturating_add(absolute).saturating_sub(self.now);
        for cookie in &cookies {
            let max_age = cookie.split("Max-Age=").nth(1).map(|rest| rest.split(';').next().unwrap().parse().unwrap());
            prop_assert_eq!(max_age.is_some(), model.own.max_age.or(self.limits.max_age).is_some());
            let max_age = max_age.map_or(Duration::ZERO, Duration::from_secs);
            prop_assert!(max_age <= left && max_age <= seconds(400 * 86_400), "{cookie} {left:?}");
        }
        let is_new = before.is_none()
            || matches!(action, Action::Rotate | Action::SignIn(_) | Action::MaxAge(_) | Action::Own(_));
        let is_new =
            is_new || (matches!(action, Action::SignOut) && before.is_some_and(|before| before.user.is_some()));
        if !is_new && self.limits.renew_after.is_none() {
            let is_touched = calls.iter().any(|call| *call == "touch" || *call == "update");
            prop_assert_eq!(
                cookies.len(),
                usize::from(self.limits.rolling && is_touched && !is_passive),
                "{:?}",
                calls
            );
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r7_r14_no_session_outlives_its_limits_or_ends_early(limits in limits(), steps in vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let rig = limits.rig();
            let (now, browser) = (seconds(1_704_067_200), Browser::default());
            let mut play = Play { limits, rig, now, browser, model: None };
            for step in steps {
                match step {
                    Step::Visit { action, is_passive } => play.visit(action, is_passive).await?,
                    Step::Wait(time) => play.wait(time),
                    Step::WaitPart(percent) => play.wait((limits.idle / 100).saturating_mul(percent).min(20 * YEAR)),
                    Step::WaitForEnd(nanos) => {
                        let left = play.left().await?.unwrap_or_default();
                        let time = if nanos < 0 { left.saturating_sub(Duration::from_nanos(1)) } else { left };
                        play.wait((time + Duration::from_nanos(u64::from(nanos > 0))).min(20 * YEAR));
                    }
                }
            }
            play.left().await?;
            Ok::<_, TestCaseError>(())
        })?;
    }
}
