//! When expired rows are removed from a storage that does not do so by itself.

use std::time::Duration;

/// How often a store looks for expired rows and removes them, and how many at once. Nothing depends on it but room: an
/// expired row is never read.
///
/// Every process sweeps; the times are spread a little, so that processes that started together do not do it together.
///
/// ```
/// use std::time::Duration;
/// use http_session::store::Sweep;
///
/// let sweep = Sweep::every(Duration::from_secs(600)).batch(500);
/// assert_eq!(Sweep::default(), Sweep::every(Duration::from_secs(300)).batch(1000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    every: Option<Duration>,
    batch: usize,
}

impl Sweep {
    /// Never by itself: something else removes expired rows, such as a job of the database, or calls the store's
    /// `sweep` method.
    ///
    /// ```
    /// # use http_session::store::Sweep;
    /// assert_ne!(Sweep::NEVER, Sweep::default());
    /// ```
    pub const NEVER: Self = Self { every: None, batch: 1000 };

    /// At this interval, at least a second.
    ///
    /// ```
    /// # use http_session::store::Sweep;
    /// let sweep = Sweep::every(std::time::Duration::from_secs(60));
    /// ```
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        let interval = if interval.as_secs() == 0 { Duration::from_secs(1) } else { interval };
        Self { every: Some(interval), ..Self::NEVER }
    }

    /// This many rows in one statement, at least one. Small batches hold locks for a short time only; there are as many as
    /// it takes.
    ///
    /// ```
    /// # use http_session::store::Sweep;
    /// let gentle = Sweep::default().batch(100);
    /// ```
    #[must_use]
    pub const fn batch(self, rows: usize) -> Self {
        Self { batch: if rows == 0 { 1 } else { rows }, ..self }
    }

    /// How long to wait for the next one: the interval, up to a tenth less. `None` is never.
    pub(super) fn pause(self) -> Option<Duration> {
        let every = self.every?;
        Some(every - every.mul_f64(0.1 * rand::random::<f64>()))
    }

    pub(super) const fn rows(self) -> usize {
        self.batch
    }
}

/// Every five minutes, a thousand at once.
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
