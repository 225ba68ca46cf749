//! Which rows are of which identity, and when all of an identity's sessions were last ended (R28).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use crate::id::SessionId;
use crate::record::RawJson;
use crate::store::{GENERATION_LIFETIME, Generation};

/// The rows of a shard that have an identity, in the order of identity and id.
#[derive(Default)]
pub(super) struct Identities(BTreeSet<(RawJson, SessionId)>);

impl Identities {
    /// A row had one identity and has another now.
    pub(super) fn change(&mut self, id: &SessionId, before: Option<&RawJson>, now: Option<&RawJson>) {
        if before == now {
            return;
        }
        if let Some(identity) = before {
            self.0.remove(&(identity.clone(), id.clone()));
        }
        if let Some(identity) = now {
            self.0.insert((identity.clone(), id.clone()));
        }
    }

    /// The ids of an identity's rows, after the given one.
    pub(super) fn after<'a>(
        &'a self,
        identity: &'a RawJson,
        after: Option<&SessionId>,
    ) -> impl Iterator<Item = &'a SessionId> {
        let first = (identity.clone(), after.cloned().unwrap_or_else(SessionId::before_all));
        let rows = self.0.range((Bound::Excluded(first), Bound::Unbounded));
        rows.take_while(move |(of, _)| of == identity).map(|(_, id)| id)
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &(RawJson, SessionId)> {
        self.0.iter()
    }
}

/// The generations, as long as they must be kept.
#[derive(Default)]
pub(super) struct Generations {
    current: HashMap<RawJson, (Generation, Duration)>,
    /// In the order in which they were raised; one that was raised again stands here twice.
    raised: VecDeque<(Duration, RawJson)>,
}

impl Generations {
    pub(super) fn of(&self, identity: &RawJson) -> Generation {
        self.current.get(identity).map_or(Generation::NONE, |(generation, _)| *generation)
    }

    pub(super) fn raise(&mut self, now: Duration, identity: &RawJson, generation: Generation) {
        self.current.insert(identity.clone(), (generation, now));
        self.raised.push_back((now, identity.clone()));
        while let Some((raised, _)) = self.raised.front()
            && now.saturating_sub(*raised) > GENERATION_LIFETIME
            && let Some((raised, identity)) = self.raised.pop_front()
        {
            if self.current.get(&identity).is_some_and(|(_, latest)| *latest == raised) {
                self.current.remove(&identity);
            }
        }
    }
}
