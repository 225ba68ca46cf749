//! Where a program takes the time from. Tests set it by hand.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::sync::{AtomicU64, Ordering};

/// A source of time, for a configuration and for stores that have no clock of their own.
///
/// ```
/// use std::time::Duration;
/// use http_session_store::clock::{Clock, SystemClock};
///
/// /// Runs ten times as fast.
/// struct Fast(SystemClock);
///
/// impl Clock for Fast {
///     fn elapsed(&self) -> Duration {
///         self.0.elapsed() * 10
///     }
///
///     fn unix(&self) -> Duration {
///         self.0.unix()
///     }
/// }
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Time since some moment in the past that stays the same. It never goes back. For whatever ends with the process.
    fn elapsed(&self) -> Duration;

    /// Time since the Unix epoch, for dates in cookies and for stores that outlive the process.
    fn unix(&self) -> Duration;
}

/// The machine's clock, and the default everywhere: monotonic for [`elapsed`](Clock::elapsed), the system's time for
/// [`unix`](Clock::unix).
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts counting now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn unix(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// A clock that stands still until it is told to advance, for tests. Clones share their time.
///
/// ```
/// use std::time::Duration;
/// use http_session_store::clock::{Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// let (shared, before) = (clock.clone(), clock.elapsed());
/// clock.advance(Duration::from_secs(90));
/// assert_eq!(shared.elapsed() - before, Duration::from_secs(90));
/// ```
#[derive(Clone, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock at 2024-01-01 00:00:00 UTC. (`ManualClock::default()` is at the Unix epoch.)
    #[must_use]
    pub fn new() -> Self {
        let clock = Self::default();
        clock.advance(Duration::from_secs(1_704_067_200));
        clock
    }

    /// Moves the time on, for all clones.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn elapsed(&self) -> Duration {
        self.unix()
    }

    fn unix(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.unix()).finish()
    }
}

/// Whole milliseconds, for storages that count in them. A duration over 300 years counts as about 300 years, so that a sum with
/// the current time stays in range.
#[must_use]
pub fn milliseconds(duration: Duration) -> i64 {
    const LONGEST: i64 = 10_000_000_000_000;
    i64::try_from(duration.as_millis()).map_or(LONGEST, |milliseconds| milliseconds.min(LONGEST))
}
