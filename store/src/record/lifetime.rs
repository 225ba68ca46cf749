//! How old a session is, and how long it may live. Durations only: the clock belongs to the store.

use std::time::Duration;

/// How long a store keeps the tombstone of a destroyed session: a minute.
pub const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(60);

/// How long ago things happened, by the store's clock. A store fills them in when it loads a record.
///
/// Start from `Ages::default()`, which is zero everywhere, and assign the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ages {
    /// Since the session was created.
    pub created: Duration,
    /// Since the identity was last set, changed, affirmed or removed; since creation if it never was.
    pub identity: Duration,
    /// Since the verifier last changed; for a tombstone, since the session was destroyed.
    pub verifier: Duration,
    /// Since the last insert, update or touch that extended the session.
    pub touched: Duration,
}

impl Ages {
    pub(super) const ZERO: Self =
        Self { created: Duration::ZERO, identity: Duration::ZERO, verifier: Duration::ZERO, touched: Duration::ZERO };
}

/// How long a session may live after a write. The store adds it to its own clock.
///
/// ```
/// use std::time::Duration;
/// use http_session_store::record::Lifetime;
///
/// let day = Duration::from_secs(24 * 3600);
/// let lifetime = Lifetime::new(day, 30 * day);
/// // The time left after a touch, from the time left before it and the age of the identity.
/// assert_eq!(lifetime.time_left(day / 3, 2 * day), day);
/// // At the age of 29.5 days the absolute end is near.
/// assert_eq!(lifetime.time_left(day / 3, 29 * day + day / 2), day / 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lifetime {
    /// Without activity. Zero means that the write is not an activity.
    pub idle: Duration,
    /// In all: from when the identity was last set, changed, affirmed or removed; before that, from creation.
    pub absolute: Duration,
    /// Whether the end may also move closer.
    pub extent: Extent,
}

/// Whether a write may move the end of a session closer. A store must handle each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store must handle each case")]
pub enum Extent {
    /// The end only moves away: a touch never shortens a life.
    Extend,
    /// The end is set, closer too: the request gave the session a lifetime of its own.
    Set,
}

impl Lifetime {
    /// These times, with [`Extent::Extend`].
    #[must_use]
    pub const fn new(idle: Duration, absolute: Duration) -> Self {
        Self { idle, absolute, extent: Extent::Extend }
    }

    /// The same times, with [`Extent::Set`].
    #[must_use]
    pub const fn set(self) -> Self {
        Self { extent: Extent::Set, ..self }
    }

    /// Leaves the end where it is, for a write that is not an activity.
    #[must_use]
    pub const fn unchanged(self) -> Self {
        Self { idle: Duration::ZERO, extent: Extent::Extend, ..self }
    }

    /// The time left after a write, from the time left before it and the age of the identity.
    ///
    /// This is the one place where lifetimes are limited, so that every store agrees. A store that writes it in another
    /// language has to do the same.
    #[must_use]
    pub fn time_left(self, before: Duration, age: Duration) -> Duration {
        let wanted = match self.extent {
            Extent::Extend => self.idle.max(before),
            Extent::Set => self.idle,
        };
        wanted.min(self.absolute.saturating_sub(age))
    }
}
