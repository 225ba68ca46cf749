//! Naming all sessions. Other tests may use the store meanwhile.

use std::collections::HashSet;

use crate::answer::{Inserted, Updated};
use crate::conformance::check::{Check, check, waits};
use crate::conformance::records::{LONG, NOTE, anonymous, change, signed_in};
use crate::conformance::result::{CheckResult, Problem, broken, ensure, equal};
use crate::conformance::run::Run;
use crate::enumerate::EnumerateSessions;
use crate::id::SessionId;
use crate::page::Cursor;

pub(super) fn checks<S: EnumerateSessions>() -> Vec<Check<S>> {
    vec![
        check("enumerate", "pages name every live session, whatever their size", pages),
        check("enumerate", "a cursor of another store is refused, or begins at the first page", foreign_cursor),
        check("enumerate", "destroyed sessions are not named", destroyed),
        check("enumerate", "after a session is gone, the next page goes on where it was", after_a_gap),
        check("enumerate", "the count is the number of live sessions", length),
        waits(check("enumerate", "expired sessions are not named", over)),
    ]
}

/// Destroys every session in the store, so a suite must ask for it.
pub(in crate::conformance) fn clears<S: EnumerateSessions>() -> Vec<Check<S>> {
    vec![check("enumerate", "clearing destroys every session for good", clear)]
}

async fn all<S: EnumerateSessions>(t: &Run<S>, limit: usize) -> Result<HashSet<SessionId>, Problem> {
    const PAGES: usize = 1_000_000;
    let mut page = t.handle(1).ids(None, limit).await?;
    let mut all: HashSet<SessionId> = page.ids.into_iter().collect();
    for _ in 0..PAGES {
        let Some(next) = page.next else { return Ok(all) };
        page = t.handle(1).ids(Some(&next), limit).await?;
        all.extend(page.ids);
    }
    broken("the pages have no end")
}

async fn some<S: EnumerateSessions>(t: &Run<S>, number: usize) -> Result<Vec<SessionId>, Problem> {
    let mut ids = Vec::new();
    for place in 0..number {
        ids.push(t.stored(&if place % 2 == 0 { anonymous() } else { signed_in() }).await?);
    }
    Ok(ids)
}

async fn pages<S: EnumerateSessions>(t: Run<S>) -> CheckResult {
    let ours = some(&t, 20).await?;
    for limit in [7, 10_000] {
        let named = all(&t, limit).await?;
        let missing = ours.iter().filter(|id| !named.contains(id)).count();
        equal(&missing, &0, "the number of live sessions that the pages left out was")?;
    }
    Ok(())
}

async fn foreign_cursor<S: EnumerateSessions>(t: Run<S>) -> CheckResult {
    for text in ["", "\0", "0/42", "-1", &"x".repeat(2000)] {
        // An answer of any kind, but no panic.
        let _ = t.store().ids(Some(&Cursor::new(text)), 10).await;
    }
    all(&t, 1000).await.map(drop)
}

async fn destroyed<S: EnumerateSessions>(t: Run<S>) -> CheckResult {
    let ours = some(&t, 4).await?;
    let [one, .., last] = ours.as_slice() else { return Ok(()) };
    t.destroy(one).await?;
    let named = all(&t, 100).await?;
    ensure(!named.contains(one), "a destroyed session is named")?;
    ensure(named.contains(last), "a live session is not named")
}

async fn after_a_gap<S: EnumerateSessions>(t: Run<S>) -> CheckResult {
    let ours = some(&t, 6).await?;
    let mut page = t.store().ids(None, 2).await?;
    let mut named: HashSet<SessionId> = page.ids.iter().cloned().collect();
    let mut gone = HashSet::new();
    while let Some(next) = page.next {
        if let Some(last) = page.ids.last().filter(|last| ours.contains(last)) {
            t.destroy(last).await?;
            gone.insert(last.clone());
        }
        page = t.store().ids(Some(&next), 2).await?;
        named.extend(page.ids.iter().cloned());
    }
    let left_out = ours.iter().filter(|id| !gone.contains(*id) && !named.contains(*id)).count();
    equal(&left_out, &0, "the number of live sessions left out after a session was gone was")
}

/// Other sessions may come and go between two calls, so this is tried several times.
async fn length<S: EnumerateSessions>(t: Run<S>) -> CheckResult {
    const TRIES: usize = 20;
    let ours = some(&t, 5).await?;
    if let Some(one) = ours.first() {
        t.destroy(one).await?;
    }
    let mut answer = Ok(());
    for _ in 0..TRIES {
        let (named, count) = (all(&t, 1000).await?.len(), t.handle(1).len().await?);
        answer = equal(&count, &named, "the count of live sessions was");
        if answer.is_ok() {
            break;
        }
    }
    answer
}

async fn over<S: EnumerateSessions>(t: Run<S>) -> CheckResult {
    let lifetime = t.lifetime(1, 10);
    let (short, born) = t.begin(&signed_in(), lifetime).await?;
    let long = t.stored(&signed_in()).await?;
    t.pass(2).await;
    t.gone(&short, born.plus(lifetime.idle)).await?;
    let named = all(&t, 100).await?;
    ensure(!named.contains(&short), "an expired session is named")?;
    ensure(named.contains(&long), "a live session is not named")
}

async fn clear<S: EnumerateSessions>(t: Run<S>) -> CheckResult {
    let ours = some(&t, 5).await?;
    let Some(one) = ours.first() else { return Ok(()) };
    let record = t.record(one).await?;
    t.store().clear().await?;
    let named = all(&t, 100).await?;
    ensure(ours.iter().all(|id| !named.contains(id)), "a session is named after the store was cleared")?;
    let updated = t.update(one, &change(&record, &[(&NOTE, Some(b"1"))])).await?;
    let refused = matches!(updated, Updated::Missing | Updated::Superseded);
    ensure(refused, "an update after the store was cleared was not refused")?;
    let inserted = t.store().insert(one, &record, LONG).await?;
    equal(&inserted, &Inserted::Taken, "an insert of an id that was destroyed with all others answered")
}
