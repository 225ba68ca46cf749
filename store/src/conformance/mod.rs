//! Whether a store keeps the contract: every rule that concerns stores, in one call.
//!
//! ```
//! use http_session_store::MemoryStore;
//! use http_session_store::clock::ManualClock;
//! use http_session_store::conformance::Suite;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let clock = ManualClock::new();
//! let store = MemoryStore::new().clock(clock.clone());
//! let report = Suite::new(store)
//!      // what the store promises: each is a trait that it implements
//!     .enumerates()
//!     .indexes()
//!     .express()
//!     .clock(move |by| clock.advance(by))
//!     .run()
//!     .await;
//! report.assert();
//! # });
//! # Ok::<_, std::io::Error>(())
//! ```
//!
//! Each check uses sessions of its own, under random ids, and destroys them when it is over: the store may hold others,
//! and the suite may run more than once at the same time. Races run in threads of their own, with any runtime of tokio;
//! its timer must be enabled. The [guide](crate::guide::store_authors) leads through a store of one's own.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use self::checks::Check;
use self::time::Time;
use self::trial::{Bench, Fault, Trial, broken};
use super::{EnumerateSessions, ExpressFormat, IndexSessions, SessionStore};

mod checks;
mod records;
mod report;
mod time;
mod trial;

pub use report::{Finding, Outcome, Report};

/// The checks of a store, for the capabilities that it declares.
///
/// ```
/// use std::time::Duration;
/// use http_session_store::MemoryStore;
/// use http_session_store::conformance::Suite;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// // A store with a clock that goes by itself: the suite waits, here for half a second at most.
/// let store = MemoryStore::new();
/// let report = Suite::new(store).tick(Duration::from_millis(50)).only("R7").run().await;
/// report.assert();
/// # });
/// # Ok::<_, std::io::Error>(())
/// ```
#[must_use = "a suite does nothing until it is run"]
pub struct Suite<S> {
    bench: Bench<S>,
    checks: Vec<Check<S>>,
    limit: Duration,
}

/// The shortest life that a session of the suite has is one tick.
const TICK: Duration = Duration::from_millis(400);
/// With a clock that is advanced, a tick is this long: a tombstone's minute is six of them.
const MANUAL_TICK: Duration = Duration::from_secs(10);
const MANUAL_SLACK: Duration = Duration::from_secs(1);
/// Checks whose time ran out because the machine stood still.
const RETRIES: usize = 3;

impl<S: SessionStore> Suite<S> {
    /// The checks that every store must pass. Capabilities are declared by further calls.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, conformance::Suite};
    /// let suite = Suite::new(MemoryStore::new());
    /// ```
    pub fn new(store: S) -> Self {
        let bench =
            Bench { first: store, peers: Vec::new(), time: Time::real(), tick: TICK, slack: TICK / 4, rounds: 20 };
        Self { bench, checks: checks::of_any(), limit: Duration::from_secs(60) }
    }

    /// Another way to the same sessions: a second connection, as another process has. One handle then reads what another
    /// wrote, and races go through all of them, so that a cache or a lock in one process does not hide what is missing in
    /// the storage.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, conformance::Suite};
    /// let store = MemoryStore::new();
    /// let suite = Suite::new(store.clone()).peer(store);
    /// ```
    pub fn peer(mut self, store: S) -> Self {
        self.bench.peers.push(store);
        self
    }

    /// How to advance the store's clock, for a store whose clock can be set. Otherwise the suite waits. Lifetimes are then
    /// some minutes at most, and ages may be off by a second.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, clock::ManualClock, conformance::Suite};
    /// let clock = ManualClock::new();
    /// let store = MemoryStore::new().clock(clock.clone());
    /// let suite = Suite::new(store).clock(move |by| clock.advance(by));
    /// ```
    pub fn clock(mut self, advance: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        (self.bench.tick, self.bench.slack) = (MANUAL_TICK, MANUAL_SLACK);
        self.bench.time = Time::manual(advance);
        self
    }

    /// The unit of lifetimes where the suite waits: 400 milliseconds. Ages may be off by a quarter of it, so a store that
    /// counts in whole seconds needs one of four seconds. The longest wait is eight ticks, and all waits run side by side. A
    /// check whose calls take most of a tick, since the machine stood still or the store is slow, does not fail: it is run
    /// again, and skipped at last.
    ///
    /// Without effect where there is a [`clock`](Self::clock) to advance.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{MemoryStore, conformance::Suite};
    /// let suite = Suite::new(MemoryStore::new()).tick(Duration::from_secs(4));
    /// ```
    pub fn tick(mut self, tick: Duration) -> Self {
        if !self.bench.time.is_manual() {
            (self.bench.tick, self.bench.slack) = (tick, tick / 4);
        }
        self
    }

    /// How often a race is run: 20 times. More find rarer ones.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, conformance::Suite};
    /// let suite = Suite::new(MemoryStore::new()).rounds(500);
    /// ```
    pub const fn rounds(mut self, rounds: usize) -> Self {
        self.bench.rounds = rounds;
        self
    }

    /// How long one check may take, a minute by default; longer is broken.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session_store::{MemoryStore, conformance::Suite};
    /// let suite = Suite::new(MemoryStore::new()).limit(Duration::from_secs(5));
    /// ```
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// For a store that is bounded (R14): another one, with room for few sessions, at most 100,000. It is filled.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, conformance::Suite};
    /// let suite = Suite::new(MemoryStore::new()).bounded(MemoryStore::new().max_sessions(10));
    /// ```
    pub fn bounded(mut self, small: S) -> Self {
        self.checks.extend(checks::bounds(small));
        self
    }

    /// Of the checks so far, those of one rule, while you work on it.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, conformance::Suite};
    /// let suite = Suite::new(MemoryStore::new()).only("R13");
    /// ```
    pub fn only(mut self, rule: &str) -> Self {
        self.checks.retain(|check| check.rule == rule);
        self
    }

    /// Runs all checks.
    ///
    /// # Panics
    /// Outside of a tokio runtime whose timer is enabled. A store that panics is reported.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, conformance::Suite};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// Suite::new(MemoryStore::new()).only("R8").run().await.assert();
    /// # });
    /// # Ok::<_, std::io::Error>(())
    /// ```
    pub async fn run(self) -> Report {
        let (bench, limit) = (Arc::new(self.bench), self.limit);
        // Waits run side by side; but a clock that is advanced is one for all.
        let (beside, in_turn): (Vec<_>, Vec<_>) =
            self.checks.into_iter().enumerate().partition(|(_, check)| check.waits && !bench.time.is_manual());
        let mut waiting = JoinSet::new();
        for (place, check) in beside {
            let bench = Arc::clone(&bench);
            waiting.spawn(async move { (place, examine(&check, &bench, limit).await) });
        }
        let mut findings = waiting.join_all().await;
        for (place, check) in in_turn {
            findings.push((place, examine(&check, &bench, limit).await));
        }
        findings.sort_by_key(|(place, _)| *place);
        Report::new(findings.into_iter().map(|(_, finding)| finding).collect())
    }
}

/// Declared capabilities.
impl<S: SessionStore> Suite<S> {
    /// The store promises [`EnumerateSessions`]. Sessions of others are left alone.

    /// ```
    /// # use http_session_store::{MemoryStore, conformance::Suite};
    /// let suite = Suite::new(MemoryStore::new()).enumerates();
    /// ```
    pub fn enumerates(self) -> Self
    where
        S: EnumerateSessions,
    {
        self.with(checks::of_enumerating())
    }

    /// [`EnumerateSessions::clear`] too, which **destroys every session in the store**.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, conformance::Suite};
    /// let suite = Suite::new(MemoryStore::new()).enumerates().clears();
    /// ```
    pub fn clears(self) -> Self
    where
        S: EnumerateSessions,
    {
        self.with(checks::clears())
    }

    /// The store promises [`IndexSessions`] (R28). The checks use identities that nobody else has.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, conformance::Suite};
    /// let suite = Suite::new(MemoryStore::new()).indexes();
    /// ```
    pub fn indexes(self) -> Self
    where
        S: IndexSessions,
    {
        self.with(checks::of_indexing())
    }

    /// The store promises [`ExpressFormat`].
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, conformance::Suite};
    /// let suite = Suite::new(MemoryStore::new()).express();
    /// ```
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

/// Runs one check in a task of its own, so that a store that panics or hangs breaks this check alone.
async fn examine<S: SessionStore>(check: &Check<S>, bench: &Arc<Bench<S>>, limit: Duration) -> Finding {
    let mut outcome = Outcome::Skipped("the machine stood still; a longer tick may help");
    for _ in 0..RETRIES {
        let trial = Trial::new(Arc::clone(bench));
        let running = tokio::spawn(tokio::time::timeout(limit, (check.run)(trial.clone())));
        let verdict = match running.await {
            Ok(Ok(Err(Fault::Broken(_)))) if check.waits && trial.stood_still() => Err(Fault::Late),
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => broken("the check did not end in time"),
            Err(_) => broken("the store panicked"),
        };
        let _ = tokio::time::timeout(limit, tokio::spawn(async move { trial.tidy().await })).await;
        outcome = match verdict {
            Ok(()) => Outcome::Kept,
            Err(Fault::Broken(how)) => Outcome::Broken(how),
            Err(Fault::Failed(error)) => Outcome::Failed(error),
            Err(Fault::Skipped(why)) => Outcome::Skipped(why),
            Err(Fault::Late) => continue,
        };
        break;
    }
    Finding { rule: check.rule, sentence: check.sentence, outcome }
}
