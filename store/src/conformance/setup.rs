//! The stores of a suite, and its settings.

use std::time::Duration;

use super::time::Time;

/// The stores of a suite, and its settings.
pub(super) struct Setup<S> {
    /// The store. It and its peers are handles of the same sessions.
    pub(super) first: S,
    pub(super) peers: Vec<S>,
    pub(super) time: Time,
    /// The unit of lifetimes.
    pub(super) tick: Duration,
    /// How far an age may be off.
    pub(super) slack: Duration,
    pub(super) rounds: usize,
}
