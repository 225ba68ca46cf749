//! Which records are of which identity, and when all of an identity's sessions were last ended.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::time::Duration;

use crate::id::SessionId;
use crate::index::{GENERATION_LIFETIME, Generation};
use crate::record::RawJson;

/// The records of a shard that have an identity, in the order of identity and id.
#[derive(Default)]
pub(super) struct Identities(BTreeSet<(RawJson, SessionId)>);

impl Identities {
    /// A record had the first identity, and has the second one now.
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

    /// The ids of an identity's records, after the given one.
    pub(super) fn after<'a>(
        &'a self,
        identity: &'a RawJson,
        after: Option<&SessionId>,
    ) -> impl Iterator<Item = &'a SessionId> {
        let first = (identity.clone(), after.cloned().unwrap_or_else(SessionId::before_all));
        let records = self.0.range((Bound::Excluded(first), Bound::Unbounded));
        records.take_while(move |(of, _)| of == identity).map(|(_, id)| id)
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
    /// Each identity once, in the order in which they were raised last.
    raised: BTreeSet<(Duration, RawJson)>,
}

impl Generations {
    pub(super) fn of(&self, identity: &RawJson) -> Generation {
        self.current.get(identity).map_or(Generation::NONE, |(generation, _)| *generation)
    }

    pub(super) fn raise(&mut self, now: Duration, identity: &RawJson, generation: Generation) {
        if let Some((_, before)) = self.current.insert(identity.clone(), (generation, now)) {
            self.raised.remove(&(before, identity.clone()));
        }
        self.raised.insert((now, identity.clone()));
        while let Some((raised, _)) = self.raised.first()
            && now.saturating_sub(*raised) > GENERATION_LIFETIME
            && let Some((_, identity)) = self.raised.pop_first()
        {
            self.current.remove(&identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Nobody can fill the memory by pressing "log out everywhere" again and again.
    #[test]
    fn r14_r28_an_identity_that_is_raised_again_and_again_takes_the_room_of_one() {
        let mut generations = Generations::default();
        let (ada, bob) = (RawJson::new(b"1"), RawJson::new(b"2"));
        for second in 0..1000 {
            generations.raise(Duration::from_secs(second), &ada, Generation(second + 1));
        }
        assert_eq!((generations.current.len(), generations.raised.len()), (1, 1));

        // It stays for as long as it must, counted from the last time, and not for ever.
        let last = Duration::from_secs(999);
        generations.raise(last + GENERATION_LIFETIME, &bob, Generation(1));
        assert_eq!(generations.of(&ada), Generation(1000));
        generations.raise(last + 3 * GENERATION_LIFETIME, &bob, Generation(2));
        assert_eq!((generations.of(&ada), generations.of(&bob)), (Generation::NONE, Generation(2)));
        assert_eq!((generations.current.len(), generations.raised.len()), (1, 1));
    }
}
