//! Sessions found by their identity. The list may name too many, never too few.

use std::collections::HashSet;

use crate::answer::{Inserted, Updated};
use crate::conformance::check::{Check, check, waits};
use crate::conformance::records::{LONG, anonymous, rotate, signed_in};
use crate::conformance::result::{CheckResult, Problem, broken, ensure, equal};
use crate::conformance::run::{RACERS, Run};
use crate::id::SessionId;
use crate::index::{Generation, IndexSessions};
use crate::record::{IdentityChange, Patch, RawJson, Record};

pub(super) fn checks<S: IndexSessions>() -> Vec<Check<S>> {
    vec![
        check("R28", "pages name each session of an identity exactly once, whatever their size", pages),
        check("R28", "a session that signs in is found from then on", signing_in),
        check("R28", "a generation is the one that was raised last, for this identity only", generations),
        check("R28", "identities are told apart byte by byte", byte_by_byte),
        check("R28", "a link is not forgotten while its sign-in is under way", under_way),
        check("R28", "after a session is gone, the next page goes on where it was", after_a_gap),
        check("R28", "concurrent sign-ins of one identity are all found", racing_links),
        check("R28", "a sign-in that began before all sessions were ended does not survive", racing_end),
        waits(check("R28", "a session is found for as long as it may live", lifetimes)),
        waits(check(
            "R28",
            "a session that is linked again for a shorter time is found for as long as before",
            relinked,
        )),
        waits(check("R28", "a generation outlives the tickets that carry it", generation_lifetime)),
    ]
}

/// An identity that no other check uses.
fn somebody() -> RawJson {
    RawJson::new(format!("{{ \"id\": {} }}", rand::random::<u64>()).as_bytes())
}

fn of(identity: &RawJson) -> Record {
    Record { identity: Some(identity.clone()), ..signed_in() }
}

fn any_generation() -> Generation {
    Generation(rand::random::<u64>() | 1)
}

impl<S: IndexSessions> Run<S> {
    /// A session of an identity, as a sign-in stores one: the index first.
    async fn signed_in_as(&self, identity: &RawJson) -> Result<SessionId, Problem> {
        let id = self.id();
        let _ = self.store().link(identity, &id, LONG.absolute).await?;
        let inserted = self.store().insert(&id, &of(identity), LONG).await?;
        equal(&inserted, &Inserted::Inserted, "the insert of a new session answered")?;
        Ok(id)
    }

    async fn linked(&self, identity: &RawJson, limit: usize) -> Result<Vec<SessionId>, Problem> {
        const PAGES: usize = 100_000;
        let mut all: Vec<SessionId> = Vec::new();
        for _ in 0..PAGES {
            let page = self.handle(1).linked(identity, all.last(), limit).await?;
            if page.is_empty() {
                return Ok(all);
            }
            ensure(page.len() <= limit, "a page has more ids than its limit")?;
            all.extend(page);
        }
        broken("the pages have no end")
    }

    async fn finds(&self, identity: &RawJson, id: &SessionId, when: &str) -> CheckResult {
        let found = self.linked(identity, 100).await?.contains(id);
        ensure(found, &format!("a session is not found by its identity {when}"))
    }
}

async fn pages<S: IndexSessions>(t: Run<S>) -> CheckResult {
    let (ada, bob) = (somebody(), somebody());
    let mut ours = HashSet::new();
    for _ in 0..10 {
        ours.insert(t.signed_in_as(&ada).await?);
        t.signed_in_as(&bob).await?;
    }
    for limit in [1, 3, 7, usize::MAX] {
        let named = t.linked(&ada, limit).await?;
        let distinct: HashSet<SessionId> = named.iter().cloned().collect();
        equal(&distinct.len(), &named.len(), "the number of distinct ids in all pages was")?;
        equal(&(distinct == ours), &true, "that the pages name the sessions of one identity was")?;
    }
    ensure(t.store().linked(&ada, None, 0).await?.is_empty(), "a page has more ids than its limit")
}

async fn signing_in<S: IndexSessions>(t: Run<S>) -> CheckResult {
    let (ada, bob) = (somebody(), somebody());
    let (id, mut record) = t.fresh(&anonymous()).await?;
    for identity in [&ada, &bob, &ada] {
        let _ = t.store().link(identity, &id, LONG.absolute).await?;
        let patch = Patch { identity: IdentityChange::Set(identity.clone()), ..rotate(&record) };
        record = t.applied(&id, &patch).await?;
        t.finds(identity, &id, "after it has signed in").await?;
    }
    Ok(())
}

async fn generations<S: IndexSessions>(t: Run<S>) -> CheckResult {
    let (ada, bob) = (somebody(), somebody());
    equal(&t.handle(1).generation(&ada).await?, &Generation::NONE, "a first generation was")?;
    for _ in 0..3 {
        let raised = any_generation();
        t.store().raise_generation(&ada, raised).await?;
        equal(&(t.handle(1).generation(&ada).await? == raised), &true, "that a generation is the raised one was")?;
        let linked = t.store().link(&ada, &t.id(), LONG.absolute).await?;
        equal(&(linked == raised), &true, "that a link answers the raised generation was")?;
    }
    equal(&t.handle(1).generation(&bob).await?, &Generation::NONE, "the generation of another identity was")?;
    let id = t.signed_in_as(&ada).await?;
    t.store().raise_generation(&ada, any_generation()).await?;
    t.finds(&ada, &id, "after its generation was raised").await
}

async fn byte_by_byte<S: IndexSessions>(t: Run<S>) -> CheckResult {
    let number = rand::random::<u64>();
    let spellings = [
        format!("{number}"),
        format!("\"{number}\""),
        format!(" {number}"),
        format!("{{\"a\":{number}}}"),
        format!("{{ \"a\":{number} }}"),
    ];
    let identities = spellings.map(|text| RawJson::new(text.as_bytes()));
    let mut raised = Vec::new();
    for identity in &identities {
        let generation = any_generation();
        t.store().raise_generation(identity, generation).await?;
        raised.push((identity, generation, t.signed_in_as(identity).await?));
    }
    for (identity, generation, id) in &raised {
        let found = t.handle(1).generation(identity).await?;
        ensure(found == *generation, "two identities with different bytes share a generation")?;
        t.finds(identity, id, "among others of similar spelling").await?;
    }
    Ok(())
}

async fn under_way<S: IndexSessions>(t: Run<S>) -> CheckResult {
    let (ada, id) = (somebody(), t.id());
    let _ = t.store().link(&ada, &id, LONG.absolute).await?;
    t.store().unlink(&ada, &id).await?; // by somebody who looks at the list, and finds no record
    let inserted = t.store().insert(&id, &of(&ada), LONG).await?;
    equal(&inserted, &Inserted::Inserted, "the insert of a new session answered")?;
    t.finds(&ada, &id, "after the list was tidied during its sign-in").await
}

async fn after_a_gap<S: IndexSessions>(t: Run<S>) -> CheckResult {
    let ada = somebody();
    for _ in 0..5 {
        t.signed_in_as(&ada).await?;
    }
    let named = t.linked(&ada, 100).await?;
    let Some((first, rest)) = named.split_first() else { return broken("sessions are not found by their identity") };
    t.destroy(first).await?;
    t.store().unlink(&ada, first).await?;
    let next: HashSet<SessionId> = t.store().linked(&ada, Some(first), 100).await?.into_iter().collect();
    ensure(rest.iter().all(|id| next.contains(id)), "after a session was gone, the next page left out live sessions")
}

async fn racing_links<S: IndexSessions>(t: Run<S>) -> CheckResult {
    for _ in 0..t.setup.rounds {
        let ada = somebody();
        let shared = ada.clone();
        let ids = t.race(move |t, number| sign_in(t, number, shared.clone())).await?;
        let named: HashSet<SessionId> = t.linked(&ada, 100).await?.into_iter().collect();
        let found = ids.iter().filter(|(id, _)| named.contains(id)).count();
        equal(&found, &RACERS, "of sessions that signed in at the same moment, the number that is found was")?;
    }
    Ok(())
}

/// What the middleware does: link, write, and look at the generation again.
async fn sign_in<S: IndexSessions>(
    t: Run<S>,
    handle: usize,
    identity: RawJson,
) -> Result<(SessionId, Generation), Problem> {
    let (id, store) = (t.id(), t.handle(handle));
    let before = store.link(&identity, &id, LONG.absolute).await?;
    let inserted = store.insert(&id, &of(&identity), LONG).await?;
    equal(&inserted, &Inserted::Inserted, "the insert of a new session answered")?;
    if store.generation(&identity).await? != before {
        let _ = store.destroy(&id, None).await?;
    }
    Ok((id, before))
}

async fn racing_end<S: IndexSessions>(t: Run<S>) -> CheckResult {
    for _ in 0..t.setup.rounds {
        let (ada, raised) = (somebody(), any_generation());
        let shared = ada.clone();
        let sessions = t
            .race(move |t, number| {
                let ada = shared.clone();
                async move {
                    if number > 0 {
                        return Ok(Some(sign_in(t, number, ada).await?));
                    }
                    t.handle(0).raise_generation(&ada, raised).await?;
                    for id in t.linked(&ada, 100).await? {
                        let _ = t.handle(0).destroy(&id, None).await?;
                    }
                    Ok(None)
                }
            })
            .await?;
        for (id, generation) in sessions.into_iter().flatten() {
            let survives = t.load(&id).await?.is_some_and(|record| !record.is_tombstone());
            let is_late = generation == raised;
            ensure(is_late || !survives, "a sign-in that began before all sessions were ended has survived")?;
        }
    }
    Ok(())
}

async fn lifetimes<S: IndexSessions>(t: Run<S>) -> CheckResult {
    let (ada, id) = (somebody(), t.id());
    let lifetime = t.lifetime(20, 20);
    for _ in 0..2 {
        let _ = t.store().link(&ada, &id, t.ticks(3)).await?; // the second link restarts the time
        t.pass(2).await;
    }
    let (inserted, born) = t.at(t.store().insert(&id, &of(&ada), lifetime)).await?;
    equal(&inserted, &Inserted::Inserted, "the insert of a new session answered")?;
    t.alive(&id, born.plus(lifetime.idle)).await?;
    t.finds(&ada, &id, "although it was linked again").await?;

    let _ = t.store().link(&ada, &id, lifetime.absolute).await?;
    t.pass(4).await;
    let (record, _) = t.alive(&id, born.plus(lifetime.idle)).await?;
    let updated = t.store().update(&id, &Patch::unchanged(&record), lifetime).await?;
    equal(&updated, &Updated::Applied { renewed: true }, "an update answered")?;
    t.finds(&ada, &id, "when it has lived for a while").await
}

/// Who linked it again has perhaps not written its record after all.
async fn relinked<S: IndexSessions>(t: Run<S>) -> CheckResult {
    let (ada, id) = (somebody(), t.id());
    let lifetime = t.lifetime(2000, 2000);
    let _ = t.store().link(&ada, &id, lifetime.absolute).await?;
    let inserted = t.store().insert(&id, &of(&ada), lifetime).await?;
    equal(&inserted, &Inserted::Inserted, "the insert of a new session answered")?;
    let _ = t.store().link(&ada, &id, t.ticks(3)).await?;
    // For longer than a link stays at least, where time is cheap.
    let ticks = if t.setup.time.is_manual() { 1000 } else { 6 };
    t.pass(ticks).await;
    t.finds(&ada, &id, "after it was linked again for a shorter time").await
}

async fn generation_lifetime<S: IndexSessions>(t: Run<S>) -> CheckResult {
    let (ada, raised) = (somebody(), any_generation());
    t.store().raise_generation(&ada, raised).await?;
    // Of the day that it has to be kept, as much as can be waited for.
    let ticks = if t.setup.time.is_manual() { 8000 } else { 6 };
    t.pass(ticks).await;
    ensure(t.handle(1).generation(&ada).await? == raised, "a generation was forgotten within a day")
}
