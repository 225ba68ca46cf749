//! Everything that operators see, in one place: `tracing` events and spans and, with the feature `metrics`, the same as
//! numbers.
//!
//! The stages report what happened, as in `telemetry::touched(tags, id)`. Names, levels, fields and labels are decided here.
//! Every event is a row of the table in the manual ([`guide::events`](crate::guide::events)), and a test compares the two.
//!
//! - Nothing here may be called while the slot is locked: a subscriber is the user's code, and may open the session.
//! - Nothing is computed unless somebody listens. Without a subscriber, an event costs a load and a branch.
//! - Nothing contains an id, a cookie, a verifier, a secret or the value of a field (R26). A session appears as its [`tag`].

mod events;
#[cfg_attr(not(feature = "metrics"), path = "no_numbers.rs")]
mod numbers;
mod tag;

use tracing::{Level, Span};

pub(crate) use events::*;
pub(crate) use numbers::{Stopwatch, describe};
pub(crate) use tag::TagKey;

use crate::decide::{Origin, Status, StoreAction};
use crate::error::StoreError;

/// A method of the store contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreMethod {
    Load,
    Insert,
    Update,
    Touch,
    Destroy,
    Generation,
    RaiseGeneration,
    Linked,
    Link,
    Unlink,
}

impl StoreMethod {
    const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Touch => "touch",
            Self::Destroy => "destroy",
            Self::Generation => "generation",
            Self::RaiseGeneration => "raise_generation",
            Self::Linked => "linked",
            Self::Link => "link",
            Self::Unlink => "unlink",
        }
    }
}

/// A span, or none if it is disabled: even a disabled span costs something each time it is entered.
macro_rules! span {
    ($($span:tt)+) => {
        if tracing::span_enabled!(target: "http_session", Level::DEBUG) {
            tracing::debug_span!(target: "http_session", $($span)+)
        } else {
            Span::none()
        }
    };
}

/// Covers the time in which a session is loaded.
pub(crate) fn load_span() -> Span {
    span!("session.load")
}

/// Covers the time in which the changes of a request are written.
pub(crate) fn commit_span(status: Status) -> Span {
    span!("session.commit", ?status)
}

/// Covers the time of one call to the store.
pub(crate) fn store_span(call: StoreMethod) -> Span {
    span!("session.store", call = call.name())
}

/// Counts a load by its outcome.
pub(crate) fn load_ended(loaded: Result<Origin, &StoreError>) {
    numbers::load(match loaded {
        Ok(Origin::New) => "new",
        Ok(Origin::Found) => "found",
        Ok(Origin::Late) => "late",
        Ok(Origin::Ambiguous) => "tossed",
        Err(_) => "failed",
    });
}

/// How a commit ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CommitOutcome {
    Done,
    /// The session was gone or superseded, so the changes were dropped.
    Dropped,
    /// The commit failed. The word names the reason.
    Failed(&'static str),
}

/// Counts a commit by its action and its outcome.
pub(crate) fn commit_ended(action: StoreAction, outcome: CommitOutcome) {
    let action = match action {
        StoreAction::Nothing => "nothing",
        StoreAction::Insert => "insert",
        StoreAction::Replace => "replace",
        StoreAction::Update(_) => "update",
        StoreAction::Touch => "touch",
        StoreAction::Destroy => "destroy",
    };
    let outcome = match outcome {
        CommitOutcome::Done => "done",
        CommitOutcome::Dropped => "dropped",
        CommitOutcome::Failed(reason) => reason,
    };
    numbers::commit(action, outcome);
}

/// Counts a call to the store by its outcome, and records its time.
pub(crate) fn store_answered<T>(call: StoreMethod, answer: &Result<T, StoreError>, stopwatch: &Stopwatch<'_>) {
    let outcome = answer.as_ref().map_or_else(|error| error.kind().name(), |_| "done");
    numbers::store(call.name(), outcome, stopwatch);
}
