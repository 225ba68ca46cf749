//! When expired records are removed from a storage that does not do so by itself.

use std::time::Duration;

use crate::error::StoreError;

/// How often a store removes expired records, and how many at once. It only affects disk space: an expired record is never
/// read.
///
/// Every process sweeps. The pauses vary a little, so that processes that started together do not sweep together.
///
/// ```
/// use std::time::Duration;
/// use http_session_store::Sweep;
///
/// let sweep = Sweep::every(Duration::from_secs(600)).batch(500);
/// assert_eq!(Sweep::default(), Sweep::every(Duration::from_secs(300)).batch(1000));
/// ```
///
/// # In a store
///
/// A store that takes a `Sweep` among its options waits for [`pause`](Self::pause), removes batches of
/// [`batch_size`](Self::batch_size) records until a batch is not full, and calls [`report_failure`](Self::report_failure) if that
/// fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    every: Option<Duration>,
    batch: usize,
}

impl Sweep {
    /// Never by itself. Something else removes expired records, such as a job of the database or the store's `sweep` method.
    pub const NEVER: Self = Self { every: None, batch: 1000 };

    /// At this interval, at least a second.
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        let interval = if interval.as_secs() == 0 { Duration::from_secs(1) } else { interval };
        Self { every: Some(interval), ..Self::NEVER }
    }

    /// Removes this many records in one statement, at least one, and as many batches as it takes. Small batches hold locks for
    /// a short time only.
    #[must_use]
    pub const fn batch(self, records: usize) -> Self {
        Self { batch: if records == 0 { 1 } else { records }, ..self }
    }

    /// How long a store waits before its next sweep: the interval, or up to a tenth less. `None` means never.
    #[must_use]
    pub fn pause(self) -> Option<Duration> {
        let every = self.every?;
        Some(every - every.mul_f64(0.1 * rand::random::<f64>()))
    }

    /// How many records one statement of a sweep removes at most.
    #[must_use]
    pub const fn batch_size(self) -> usize {
        self.batch
    }

    /// Tells operators that a sweep failed, with the event `session.store.sweep_failed`. The next sweep tries again.
    pub fn report_failure(error: &StoreError) {
        tracing::warn!(
            name: "session.store.sweep_failed",
            target: "http_session",
            %error,
            "expired sessions could not be removed; the next sweep tries again"
        );
        #[cfg(feature = "metrics")]
        metrics::counter!("session_events_total", "event" => "session.store.sweep_failed").increment(1);
    }
}

/// Every five minutes, in batches of 1,000.
impl Default for Sweep {
    fn default() -> Self {
        Self::every(Duration::from_secs(300))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_the_interval_or_a_little_less() {
        for seconds in [1, 300, u64::MAX] {
            let interval = Duration::from_secs(seconds);
            for _ in 0..1000 {
                let pause = Sweep::every(interval).pause().unwrap();
                assert!(pause <= interval && pause >= interval / 10 * 8, "{pause:?}");
            }
        }
        assert_eq!(Sweep::NEVER.pause(), None);
    }
}
