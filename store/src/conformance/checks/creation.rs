//! An insert never overwrites, an update never creates (R8).

use crate::answer::{Destroyed, Inserted, Touched, Updated};
use crate::conformance::check::{Check, check};
use crate::conformance::records::{LONG, NOTE, anonymous, change, sign_in, signed_in};
use crate::conformance::result::{CheckResult, ensure, equal, same};
use crate::conformance::run::Run;
use crate::id::SessionId;
use crate::record::Epoch;
use crate::session_store::SessionStore;

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    vec![
        check("R8", "an insert never overwrites a session", insert_on_a_session),
        check("R8", "an insert never overwrites a tombstone", insert_on_a_tombstone),
        check("R8", "an update never creates a session", update_of_nothing),
        check("R8", "a touch or destroy of a missing session creates nothing", others_of_nothing),
        check("R8", "no call brings a destroyed session back", resurrection),
        check("R8", "a session can be destroyed once; the second time it is not found", destroyed_twice),
        check("R9", "a write of one session leaves other sessions alone", neighbours),
    ]
}

async fn insert_on_a_session<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, record) = t.fresh(&signed_in()).await?;
    for other in [anonymous(), record.clone()] {
        let inserted = t.store().insert(&id, &other, LONG).await?;
        equal(&inserted, &Inserted::Taken, "a second insert of the same id answered")?;
        same(&t.record(&id).await?, &record, "after a second insert")?;
    }
    Ok(())
}

async fn insert_on_a_tombstone<S: SessionStore>(t: Run<S>) -> CheckResult {
    let id = t.stored(&signed_in()).await?;
    t.destroy(&id).await?;
    let inserted = t.store().insert(&id, &anonymous(), LONG).await?;
    equal(&inserted, &Inserted::Taken, "an insert in the place of a tombstone answered")?;
    still_destroyed(&t, &id, "an insert").await
}

async fn still_destroyed<S: SessionStore>(t: &Run<S>, id: &SessionId, after: &str) -> CheckResult {
    let tombstone = t.load(id).await?.is_some_and(|record| record.is_tombstone());
    ensure(tombstone, &format!("the tombstone of a destroyed session did not outlast {after}"))
}

async fn update_of_nothing<S: SessionStore>(t: Run<S>) -> CheckResult {
    let id = t.id();
    let never_stored = signed_in();
    for patch in [change(&never_stored, &[(&NOTE, Some(b"1"))]), sign_in(&never_stored, b"8")] {
        let updated = t.update(&id, &patch).await?;
        equal(&updated, &Updated::Missing, "an update of a session that never existed answered")?;
        ensure(t.load(&id).await?.is_none(), "an update of a session that never existed created one")?;
    }
    Ok(())
}

async fn others_of_nothing<S: SessionStore>(t: Run<S>) -> CheckResult {
    let id = t.id();
    equal(&t.touch(&id, &anonymous()).await?, &Touched::Missing, "a touch of a session that never existed answered")?;
    for epoch in [None, Some(Epoch(0))] {
        let destroyed = t.store().destroy(&id, epoch).await?;
        equal(&destroyed, &Destroyed::Missing, "destroying a session that never existed answered")?;
    }
    ensure(t.load(&id).await?.is_none(), "a touch or destroy of a session that never existed created one")?;
    let inserted = t.store().insert(&id, &anonymous(), LONG).await?;
    equal(&inserted, &Inserted::Inserted, "an insert after destroying nothing answered")
}

async fn resurrection<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, record) = t.fresh(&signed_in()).await?;
    t.destroy(&id).await?;
    let Some(tombstone) = t.load(&id).await? else {
        return ensure(false, "a destroyed session left no tombstone");
    };
    for loaded in [&record, &tombstone] {
        let change = change(loaded, &[(&NOTE, Some(b"1"))]);
        for patch in [change, sign_in(loaded, b"7")] {
            let updated = t.update(&id, &patch).await?;
            let refused = matches!(updated, Updated::Missing | Updated::Superseded);
            ensure(refused, "an update of a destroyed session was not refused")?;
            still_destroyed(&t, &id, "an update").await?;
        }
        let touched = t.touch(&id, loaded).await?;
        ensure(touched != Touched::Applied, "a touch of a destroyed session was applied")?;
        still_destroyed(&t, &id, "a touch").await?;
    }
    Ok(())
}

async fn destroyed_twice<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, record) = t.fresh(&signed_in()).await?;
    t.destroy(&id).await?;
    let first = t.load(&id).await?;
    for epoch in [None, Some(record.epoch), Some(record.epoch.next())] {
        let destroyed = t.store().destroy(&id, epoch).await?;
        ensure(destroyed != Destroyed::Destroyed, "a destroyed session could be destroyed again")?;
    }
    match (first, t.load(&id).await?) {
        (Some(first), Some(second)) => same(&second, &first, "in the tombstone that was destroyed again"),
        _ => ensure(false, "destroying a destroyed session removed its tombstone"),
    }
}

async fn neighbours<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (one, record) = t.fresh(&signed_in()).await?;
    let (two, other) = t.fresh(&signed_in()).await?;
    t.applied(&one, &sign_in(&record, b"8")).await?;
    same(&t.record(&two).await?, &other, "after an update of another session")?;
    t.destroy(&one).await?;
    same(&t.record(&two).await?, &other, "after another session was destroyed")
}
