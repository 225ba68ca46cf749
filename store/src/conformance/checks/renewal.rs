//! Periodic renewal of the verifier (R6).

use crate::answer::Updated;
use crate::conformance::check::{Check, check, waits};
use crate::conformance::records::{LONG, NOTE, anonymous, change, hash, renew, rotate};
use crate::conformance::result::{CheckResult, applied, ensure, equal, same};
use crate::conformance::run::Run;
use crate::record::{Epoch, Patch, Record};
use crate::session_store::SessionStore;

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    vec![
        check("R6", "a renewal replaces the verifier, and keeps the previous verifier and the epoch", renewal),
        check("R6", "only the current verifier renews; a renewal that lost keeps the rest of its patch", lost),
        check("R6", "a rotation after a renewal voids both verifiers", rotated),
        waits(check("R6", "a renewal restarts the age of the verifier; a renewal that lost does not", age)),
    ]
}

async fn renewal<S: SessionStore>(t: Run<S>) -> CheckResult {
    let record = Record { epoch: Epoch(3), identity_epoch: Epoch(1), previous: Some(hash()), ..anonymous() };
    let (id, record) = t.fresh(&record).await?;
    let patch = renew(&record, record.verifier);
    let after = t.applied(&id, &patch).await?;
    ensure(after.epoch == record.epoch, "a renewal changed the epoch")?;
    ensure(after.verifier != record.verifier, "a renewal did not change the verifier")?;
    ensure(after.previous == Some(record.verifier), "a renewal did not keep the verifier before it")?;
    same(&after, &applied(&patch, &record)?, "after a renewal")
}

async fn lost<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, loaded) = t.fresh(&anonymous()).await?;
    let renewed = t.applied(&id, &renew(&loaded, loaded.verifier)).await?;
    for current in [loaded.verifier, hash()] {
        let note = if current == loaded.verifier { b"1" } else { b"2" };
        let verifier = renew(&loaded, current).verifier;
        let patch = Patch { verifier, ..change(&renewed, &[(&NOTE, Some(note))]) };
        let updated = t.update(&id, &patch).await?;
        let what = "a renewal by another verifier than the current one answered";
        equal(&updated, &Updated::Applied { renewed: false }, what)?;
        let after = t.record(&id).await?;
        ensure(after.fields.find(NOTE.name) == Some(note), "a renewal that lost also lost the rest of its patch")?;
        same(&after, &Record { fields: patch.result, ..renewed.clone() }, "after a renewal that lost")?;
    }
    Ok(())
}

async fn rotated<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, loaded) = t.fresh(&anonymous()).await?;
    let renewed = t.applied(&id, &renew(&loaded, loaded.verifier)).await?;
    let after = t.applied(&id, &rotate(&renewed)).await?;
    ensure(after.previous.is_none(), "a previous verifier is still valid after a rotation")?;
    ensure(after.epoch == loaded.epoch.next(), "a rotation after a renewal did not raise the epoch by one")
}

async fn age<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, born) = t.begin(&anonymous(), t.lifetime(20, 100)).await?;
    let loaded = t.record(&id).await?;
    t.pass(2).await;
    let patch = renew(&loaded, loaded.verifier);
    let (updated, renewed) = t.at(t.store().update(&id, &patch, LONG)).await?;
    equal(&updated, &Updated::Applied { renewed: true }, "a renewal by the current verifier answered")?;
    t.pass(2).await;
    let updated = t.update(&id, &patch).await?;
    equal(&updated, &Updated::Applied { renewed: false }, "the same renewal the second time answered")?;
    let (record, seen) = t.at(t.store().load(&id)).await?;
    let Some(record) = record else { return ensure(false, "a stored session is not found") };
    t.age(record.ages.verifier, renewed, seen, "the age of a verifier since its renewal")?;
    t.age(record.ages.identity, born, seen, "the age of the identity after a renewal")?;
    t.age(record.ages.created, born, seen, "the age of a session after a renewal")
}
