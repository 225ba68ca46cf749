//! The checks, by what they look at. Each is one function that works on sessions of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::trial::{Trial, Verdict};
use crate::{EnumerateSessions, ExpressFormat, IndexSessions, SessionStore};

mod bounds;
mod calls;
mod creation;
mod enumeration;
mod epochs;
mod express;
mod histories;
mod identity;
mod index;
mod lifetimes;
mod merging;
mod patches;
mod races;
mod renewal;
mod tombstones;
mod values;

pub(super) use bounds::bounds;
pub(super) use enumeration::clears;

type Running = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// What must hold, and the function that looks.
pub(super) struct Check<S> {
    pub(super) rule: &'static str,
    pub(super) sentence: &'static str,
    /// Whether time has to pass.
    pub(super) waits: bool,
    pub(super) run: Arc<dyn Fn(Trial<S>) -> Running + Send + Sync>,
}

impl<S> Clone for Check<S> {
    fn clone(&self) -> Self {
        Self { run: Arc::clone(&self.run), ..*self }
    }
}

fn check<S, F>(
    rule: &'static str,
    sentence: &'static str,
    run: impl Fn(Trial<S>) -> F + Send + Sync + 'static,
) -> Check<S>
where
    F: Future<Output = Verdict> + Send + 'static,
{
    Check { rule, sentence, waits: false, run: Arc::new(move |trial| Box::pin(run(trial))) }
}

fn waits<S>(check: Check<S>) -> Check<S> {
    Check { waits: true, ..check }
}

/// Of every store.
pub(super) fn of_any<S: SessionStore>() -> Vec<Check<S>> {
    let groups = [
        values::checks(),
        creation::checks(),
        tombstones::checks(),
        epochs::checks(),
        identity::checks(),
        renewal::checks(),
        patches::checks(),
        lifetimes::checks(),
        calls::checks(),
        merging::checks(),
        histories::checks(),
        races::checks(),
    ];
    groups.into_iter().flatten().collect()
}

/// Of a store that promises [`EnumerateSessions`].
pub(super) fn of_enumerating<S: EnumerateSessions>() -> Vec<Check<S>> {
    enumeration::checks()
}

/// Of a store that promises [`IndexSessions`].
pub(super) fn of_indexing<S: IndexSessions>() -> Vec<Check<S>> {
    index::checks()
}

/// Of a store that promises [`ExpressFormat`].
pub(super) fn of_express<S: ExpressFormat>() -> Vec<Check<S>> {
    express::checks()
}
