//! Time, as the suite sees it from outside of the store.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How time passes.
pub(super) enum Time {
    /// By itself; the suite waits.
    Real { start: Instant },
    /// The store's clock stands still until it is advanced.
    Manual { advance: Box<dyn Fn(Duration) + Send + Sync>, passed: Mutex<Duration> },
}

/// When a call to the store took place: between these two times of the suite's own clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) before: Duration,
    pub(super) after: Duration,
}

impl Moment {
    /// Later by this time.
    pub(super) fn plus(self, time: Duration) -> Self {
        Self { before: self.before.saturating_add(time), after: self.after.saturating_add(time) }
    }

    /// The shortest and the longest time from an earlier moment until this one.
    pub(super) fn since(self, earlier: Self) -> (Duration, Duration) {
        (self.before.saturating_sub(earlier.after), self.after.saturating_sub(earlier.before))
    }
}

impl Time {
    pub(super) fn real() -> Self {
        Self::Real { start: Instant::now() }
    }

    pub(super) fn manual(advance: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self::Manual { advance: Box::new(advance), passed: Mutex::default() }
    }

    pub(super) const fn is_manual(&self) -> bool {
        matches!(self, Self::Manual { .. })
    }

    pub(super) fn now(&self) -> Duration {
        match self {
            Self::Real { start } => start.elapsed(),
            Self::Manual { passed, .. } => *passed.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    pub(super) async fn pass(&self, time: Duration) {
        match self {
            Self::Real { .. } => tokio::time::sleep(time).await,
            Self::Manual { advance, passed } => {
                advance(time);
                *passed.lock().unwrap_or_else(PoisonError::into_inner) += time;
            }
        }
    }
}
