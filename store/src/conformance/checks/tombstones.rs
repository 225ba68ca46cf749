//! What remains of a destroyed session (R6).

use crate::answer::{Destroyed, Inserted};
use crate::conformance::check::{Check, check, waits};
use crate::conformance::records::{LONG, NOTE, anonymous, change, signed_in};
use crate::conformance::result::{CheckResult, Problem, broken, ensure, equal, same};
use crate::conformance::run::Run;
use crate::record::{RawJson, Record, TOMBSTONE_LIFETIME};
use crate::session_store::SessionStore;

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    vec![
        check("R6", "a destroyed session is a tombstone: in the next epoch, and empty", shape),
        waits(check("R6", "a tombstone tells the time since the session was destroyed, and no call prolongs it", age)),
        waits(check("R6", "a tombstone stays for a minute, then its id is free", end)),
    ]
}

async fn shape<S: SessionStore>(t: Run<S>) -> CheckResult {
    let record = Record { cookie: Some(RawJson::new(b"{}")), ..signed_in() };
    for epoch in [None, Some(record.epoch)] {
        let id = t.stored(&record).await?;
        let destroyed = t.store().destroy(&id, epoch).await?;
        equal(&destroyed, &Destroyed::Destroyed, "destroying a session in its epoch answered")?;
        let Some(found) = t.load(&id).await? else { return broken("a destroyed session left no tombstone") };
        ensure(found.is_tombstone(), "a destroyed session can still be loaded")?;
        same(&found, &record.tombstone(), "in a tombstone")?;
    }
    Ok(())
}

async fn age<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, _) = t.begin(&signed_in(), t.lifetime(3, 30)).await?;
    let record = t.record(&id).await?;
    t.pass(1).await;
    let (destroyed, dead) = t.at(t.store().destroy(&id, None)).await?;
    equal(&destroyed, &Destroyed::Destroyed, "destroying a session answered")?;
    t.pass(1).await;
    let _ = t.update(&id, &change(&record, &[(&NOTE, Some(b"1"))])).await?;
    let _ = t.touch(&id, &record).await?;
    let _ = t.touch(&id, &record.tombstone()).await?;
    let _ = t.store().destroy(&id, None).await?;
    let _ = t.store().insert(&id, &anonymous(), LONG).await?;
    t.pass(2).await; // past the session's own end
    let (found, seen) = t.at(t.store().load(&id)).await?;
    let Some(found) = found.filter(|record| record.is_tombstone()) else {
        return broken("the tombstone was gone before its minute was over");
    };
    t.age(found.ages.verifier, dead, seen, "the age of a tombstone's verifier")?;
    t.time_left(&found, seen, dead.plus(TOMBSTONE_LIFETIME))
}

async fn end<S: SessionStore>(t: Run<S>) -> CheckResult {
    if !t.setup.time.is_manual() {
        return Err(Problem::Skipped("a minute is too long to wait; give the suite a clock that it can advance"));
    }
    let id = t.stored(&signed_in()).await?;
    let (_, dead) = t.at(t.store().destroy(&id, None)).await?;
    t.pass(5).await;
    ensure(t.load(&id).await?.is_some(), "the tombstone was gone before its minute was over")?;
    t.pass(3).await;
    t.gone(&id, dead.plus(TOMBSTONE_LIFETIME)).await?;
    let inserted = t.store().insert(&id, &anonymous(), LONG).await?;
    equal(&inserted, &Inserted::Inserted, "an insert after the tombstone's end answered")
}
