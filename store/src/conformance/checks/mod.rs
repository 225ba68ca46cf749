//! The checks, by topic. Each is one function that works on sessions of its own.

use super::check::Check;
use crate::enumerate::EnumerateSessions;
use crate::index::IndexSessions;
use crate::session_store::{ExpressFormat, SessionStore};

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

/// For every store.
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

/// For a store that promises [`EnumerateSessions`].
pub(super) fn of_enumerating<S: EnumerateSessions>() -> Vec<Check<S>> {
    enumeration::checks()
}

/// For a store that promises [`IndexSessions`].
pub(super) fn of_indexing<S: IndexSessions>() -> Vec<Check<S>> {
    index::checks()
}

/// For a store that promises [`ExpressFormat`].
pub(super) fn of_express<S: ExpressFormat>() -> Vec<Check<S>> {
    express::checks()
}
