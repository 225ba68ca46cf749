//! All that operators see, in one place: `tracing` events and spans, and with the feature `metrics` the same in numbers.
//!
//! The stages say what happened, as in `telemetry::created(config, id)`; names, levels, fields and labels are decided here.
//! Every event is a record of the manual's table ([`guide::events`](crate::guide::events)); a test compares the two.
//!
//! - Nothing here is called while the slot's lock is held: a subscriber is the user's code, and may open the session.
//! - Nothing is computed unless somebody listens: without a subscriber an event costs a load and a branch.
//! - Nothing holds an id, a cookie, a verifier, a secret or a field's value (R26). A session appears as its [`tag`].

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

/// A span, or none: even a span that is disabled costs something each time it is entered.
macro_rules! span {
    ($($span:tt)+) => {
        if tracing::span_enabled!(target: "http_session", Level::DEBUG) {
            tracing::debug_span!(target: "http_session", $($span)+)
        } else {
            Span::none()
        }
    };
}

/// The time in which a session is looked for.
pub(crate) fn load_span() -> Span {
    span!("session.load")
}

/// The time in which a request's changes are written.
pub(crate) fn commit_span(status: Status) -> Span {
    span!("session.commit", ?status)
}

/// The time of one call to the store.
pub(crate) fn store_span(call: StoreMethod) -> Span {
    span!("session.store", call = call.name())
}

/// How a load ended, as far as the request's session goes.
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
    /// The session was gone or superseded: the changes were dropped.
    Dropped,
    /// It failed, for the reason that this word names.
    Failed(&'static str),
}

/// What a commit was to do, and how it ended.
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

/// How a call to the store ended.
pub(crate) fn store_answered<T>(call: StoreMethod, answer: &Result<T, StoreError>, stopwatch: &Stopwatch<'_>) {
    let outcome = answer.as_ref().map_or_else(|error| error.kind().name(), |_| "done");
    numbers::store(call.name(), outcome, stopwatch);
}
