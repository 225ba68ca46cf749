//! Which checks are run, and how.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::check::Check;
use super::checks;
use super::report::{Finding, Outcome, Report};
use super::result::{Problem, broken};
use super::run::Run;
use super::setup::Setup;
use super::time::Time;
use crate::enumerate::EnumerateSessions;
use crate::index::IndexSessions;
use crate::session_store::{ExpressFormat, SessionStore};

/// The checks of a store, for the capabilities that it declares.
///
/// ```
/// use std::time::Duration;
/// use http_session_store::MemoryStore;
/// use http_session_store::conformance::Suite;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// // A store with a clock of its own: the suite waits, here for half a second at most.
/// let store = MemoryStore::new();
/// let report = Suite::new(store).tick(Duration::from_millis(50)).only("R7").run().await;
/// report.assert();
/// # });
/// # Ok::<_, std::io::Error>(())
/// ```
#[must_use = "a suite does nothing until it is run"]
pub struct Suite<S> {
    setup: Setup<S>,
    checks: Vec<Check<S>>,
    limit: Duration,
}

/// The shortest life of a session in the suite is one tick.
const TICK: Duration = Duration::from_millis(400);
/// The tick with a clock that is advanced: the minute of a tombstone has six of them.
const MANUAL_TICK: Duration = Duration::from_secs(10);
const MANUAL_SLACK: Duration = Duration::from_secs(1);
/// How often a check is run at most, if the machine stands still.
const ATTEMPTS: usize = 3;

impl<S: SessionStore> Suite<S> {
    /// The checks that every store must pass. Further calls declare capabilities.
    pub fn new(store: S) -> Self {
        let setup =
            Setup { first: store, peers: Vec::new(), time: Time::real(), tick: TICK, slack: TICK / 4, rounds: 20 };
        Self { setup, checks: checks::of_any(), limit: Duration::from_secs(60) }
    }

    /// A second way to the same sessions, such as the connection of another process. One handle then reads what another handle
    /// wrote, and races go through all of them. So a cache or a lock in one process cannot hide what the storage lacks.
    pub fn peer(mut self, store: S) -> Self {
        self.setup.peers.push(store);
        self
    }

    /// How to advance the store's clock, for a store whose clock can be set. Otherwise the suite waits. Lifetimes are then some
    /// minutes at most, and ages may differ by a second.
    pub fn clock(mut self, advance: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        (self.setup.tick, self.setup.slack) = (MANUAL_TICK, MANUAL_SLACK);
        self.setup.time = Time::manual(advance);
        self
    }

    /// The unit of lifetimes if the suite waits: 400 milliseconds by default. Ages may differ by a quarter of it, so a store
    /// that counts in whole seconds needs a tick of four seconds. The longest wait is eight ticks, and all waits run side by side.
    ///
    /// If the machine stands still, or the store is slow, the calls of a check may take most of a tick. Such a check does not
    /// fail: it is run again, and skipped in the end.
    ///
    /// Without effect if there is a [`clock`](Self::clock) to advance.
    pub fn tick(mut self, tick: Duration) -> Self {
        if !self.setup.time.is_manual() {
            (self.setup.tick, self.setup.slack) = (tick, tick / 4);
        }
        self
    }

    /// How often a race is run: 20 times by default. More rounds find rarer faults.
    pub const fn rounds(mut self, rounds: usize) -> Self {
        self.setup.rounds = rounds;
        self
    }

    /// The time limit of one check: a minute by default. A check that takes longer is reported as broken.
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// For a store with bounds: another store, with room for at most 100,000 sessions, better for a few. The suite fills it.
    pub fn bounded(mut self, small: S) -> Self {
        self.checks.extend(checks::bounds(small));
        self
    }

    /// Only the checks of one rule, of those that were declared before. For while you work on that rule.
    pub fn only(mut self, rule: &str) -> Self {
        self.checks.retain(|check| check.rule == rule);
        self
    }

    /// Runs all checks.
    ///
    /// # Panics
    /// Outside of a tokio runtime whose timer is enabled. A store that panics is reported.
    pub async fn run(self) -> Report {
        let (setup, limit) = (Arc::new(self.setup), self.limit);
        // Waits run side by side. But a clock that is advanced is the same for all checks.
        let (beside, in_turn): (Vec<_>, Vec<_>) =
            self.checks.into_iter().enumerate().partition(|(_, check)| check.waits && !setup.time.is_manual());
        let mut waiting = JoinSet::new();
        for (number, check) in beside {
            let setup = Arc::clone(&setup);
            waiting.spawn(async move { (number, examine(&check, &setup, limit).await) });
        }
        let mut findings = waiting.join_all().await;
        for (number, check) in in_turn {
            findings.push((number, examine(&check, &setup, limit).await));
        }
        findings.sort_by_key(|(number, _)| *number);
        Report::new(findings.into_iter().map(|(_, finding)| finding).collect())
    }
}

/// Declared capabilities.
impl<S: SessionStore> Suite<S> {
    /// The store promises [`EnumerateSessions`]. Other sessions in the store are left alone.
    pub fn enumerates(self) -> Self
    where
        S: EnumerateSessions,
    {
        self.with(checks::of_enumerating())
    }

    /// The store promises [`EnumerateSessions::clear`] too. This check **destroys every session in the store**.
    pub fn clears(self) -> Self
    where
        S: EnumerateSessions,
    {
        self.with(checks::clears())
    }

    /// The store promises [`IndexSessions`]. The checks use identities that nobody else has.
    pub fn indexes(self) -> Self
    where
        S: IndexSessions,
    {
        self.with(checks::of_indexing())
    }

    /// The store promises [`ExpressFormat`].
    pub fn express(self) -> Self
    where
        S: ExpressFormat,
    {
        self.with(checks::of_express())
    }

    fn with(mut self, checks: Vec<Check<S>>) -> Self {
        self.checks.extend(checks);
        self
    }
}

impl<S> std::fmt::Debug for Suite<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Suite").field("checks", &self.checks.len()).finish_non_exhaustive()
    }
}

/// Runs one check in a task of its own, so that a store that panics or hangs breaks only this check.
async fn examine<S: SessionStore>(check: &Check<S>, setup: &Arc<Setup<S>>, limit: Duration) -> Finding {
    let mut outcome = Outcome::Skipped("the machine stood still; a longer tick may help");
    for _ in 0..ATTEMPTS {
        let run = Run::new(Arc::clone(setup));
        let running = tokio::spawn(tokio::time::timeout(limit, (check.run)(run.clone())));
        let result = match running.await {
            Ok(Ok(Err(Problem::Broken(_)))) if check.waits && run.stood_still() => Err(Problem::Late),
            Ok(Ok(result)) => result,
            Ok(Err(_)) => broken("the check did not end in time"),
            Err(_) => broken("the store panicked"),
        };
        let _ = tokio::time::timeout(limit, tokio::spawn(async move { run.tidy().await })).await;
        outcome = match result {
            Ok(()) => Outcome::Kept,
            Err(Problem::Broken(how)) => Outcome::Broken(how),
            Err(Problem::Failed(error)) => Outcome::Failed(error),
            Err(Problem::Skipped(why)) => Outcome::Skipped(why),
            Err(Problem::Late) => continue,
        };
        break;
    }
    Finding { rule: check.rule, sentence: check.sentence, outcome }
}
