//! Lifetimes and ages by the store's clock. Every check lets some ticks pass.

use std::time::Duration;

use crate::answer::{Destroyed, Inserted, Touched, Updated};
use crate::conformance::check::{Check, check, waits};
use crate::conformance::records::{LONG, NOTE, anonymous, change, renew, rotate, sign_in, sign_out, signed_in};
use crate::conformance::result::{CheckResult, Problem, ensure, equal, same};
use crate::conformance::run::Run;
use crate::conformance::time::Moment;
use crate::id::SessionId;
use crate::record::{Ages, IdentityChange, Lifetime, Patch, Record, VerifierChange};
use crate::session_store::SessionStore;

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    let checks = [
        check("R7", "after its idle time a session is gone, for every call", over),
        check("R7", "ages and time left count by the store's clock; those given to an insert are ignored", ages),
        check("R7", "a load is not an activity", loads),
        check("R7", "a touch extends the life of a session", touch_extends),
        check("R7", "an update extends the life of a session", update_extends),
        check("R7", "a touch or update never shortens the life of a session", never_shortens),
        check("R7", "with `Extent::Set`, the end can also move closer", set),
        check("R7", "no insert, touch, update, rotation or `Extent::Set` passes the absolute end", absolute),
        check("R7", "a write with `Lifetime::unchanged` leaves the end as it is, and is not an activity", unchanged),
        check("R7", "every change of identity restarts its age and the absolute lifetime", identity),
        check("R7", "a write that is refused extends nothing", refused),
        check("R7", "lifetimes of zero and endless lifetimes are accepted", extremes),
    ];
    checks.map(waits).into()
}

fn set_to(idle: Duration, lifetime: Lifetime) -> Lifetime {
    Lifetime::new(idle, lifetime.absolute).set()
}

impl<S: SessionStore> Run<S> {
    /// A touch that is applied, and when. In a store without touch, an update instead.
    async fn extend(
        &self,
        by_update: bool,
        id: &SessionId,
        record: &Record,
        lifetime: Lifetime,
    ) -> Result<Moment, Problem> {
        if by_update || !self.store().can_touch() {
            let patch = change(record, &[(&NOTE, Some(b"1"))]);
            let (updated, moment) = self.at(self.store().update(id, &patch, lifetime)).await?;
            equal(&updated, &Updated::Applied { renewed: true }, "an update answered")?;
            return Ok(moment);
        }
        let (touched, moment) = self.at(self.store().touch(id, record.epoch, lifetime)).await?;
        equal(&touched, &Touched::Applied, "a touch answered")?;
        Ok(moment)
    }
}

async fn over<S: SessionStore>(t: Run<S>) -> CheckResult {
    let lifetime = t.lifetime(4, 40);
    let (id, born) = t.begin(&signed_in(), lifetime).await?;
    let end = born.plus(lifetime.idle);
    t.pass(2).await;
    let (record, _) = t.alive(&id, end).await?;
    t.pass(3).await;
    t.gone(&id, end).await?;
    let updated = t.update(&id, &change(&record, &[(&NOTE, Some(b"1"))])).await?;
    equal(&updated, &Updated::Missing, "an update of an expired session answered")?;
    equal(&t.touch(&id, &record).await?, &Touched::Missing, "a touch of an expired session answered")?;
    let destroyed = t.store().destroy(&id, Some(record.epoch)).await?;
    equal(&destroyed, &Destroyed::Missing, "destroying an expired session answered")?;
    t.gone(&id, end).await?;
    let newer = anonymous();
    let inserted = t.store().insert(&id, &newer, LONG).await?;
    equal(&inserted, &Inserted::Inserted, "an insert in the place of an expired session answered")?;
    same(&t.record(&id).await?, &newer, "after an insert in the place of an expired session")
}

async fn ages<S: SessionStore>(t: Run<S>) -> CheckResult {
    let hour = Duration::from_secs(3600);
    let claimed = Ages { created: hour, identity: hour, verifier: hour, touched: hour };
    let lifetime = t.lifetime(6, 60);
    let record = Record { ages: claimed, expires_in: 24 * hour, ..signed_in() };
    let (id, born) = t.begin(&record, lifetime).await?;
    for _ in 0..2 {
        t.pass(1).await;
        let (record, seen) = t.alive(&id, born.plus(lifetime.idle)).await?;
        for (age, what) in [
            (record.ages.created, "the age of a session"),
            (record.ages.identity, "the age of an identity"),
            (record.ages.verifier, "the age of a verifier"),
            (record.ages.touched, "the age since the last activity"),
        ] {
            t.age(age, born, seen, what)?;
        }
    }
    Ok(())
}

async fn loads<S: SessionStore>(t: Run<S>) -> CheckResult {
    let lifetime = t.lifetime(5, 50);
    let (id, born) = t.begin(&signed_in(), lifetime).await?;
    for _ in 0..3 {
        t.pass(1).await;
        let (record, seen) = t.alive(&id, born.plus(lifetime.idle)).await?;
        t.age(record.ages.touched, born, seen, "the age since the last activity, after loads,")?;
    }
    t.pass(3).await;
    t.gone(&id, born.plus(lifetime.idle)).await
}

async fn extends<S: SessionStore>(t: &Run<S>, by_update: bool) -> CheckResult {
    let lifetime = t.lifetime(4, 40);
    let (id, born) = t.begin(&signed_in(), lifetime).await?;
    let record = t.record(&id).await?;
    t.pass(2).await;
    let touched = t.extend(by_update, &id, &record, lifetime).await?;
    t.pass(3).await;
    let (record, seen) = t.alive(&id, touched.plus(lifetime.idle)).await?;
    t.age(record.ages.touched, touched, seen, "the age since the last activity")?;
    t.age(record.ages.created, born, seen, "the age of a session")?;
    t.age(record.ages.verifier, born, seen, "the age of a verifier")?;
    t.pass(2).await;
    t.gone(&id, touched.plus(lifetime.idle)).await
}

async fn touch_extends<S: SessionStore>(t: Run<S>) -> CheckResult {
    if !t.store().can_touch() {
        return Err(Problem::Skipped("the store does not touch"));
    }
    extends(&t, false).await
}

async fn update_extends<S: SessionStore>(t: Run<S>) -> CheckResult {
    extends(&t, true).await
}

async fn never_shortens<S: SessionStore>(t: Run<S>) -> CheckResult {
    for by_update in [false, true] {
        let lifetime = t.lifetime(6, 60);
        let (id, born) = t.begin(&signed_in(), lifetime).await?;
        let record = t.record(&id).await?;
        t.extend(by_update, &id, &record, t.lifetime(2, 60)).await?;
        t.alive(&id, born.plus(lifetime.idle)).await?;
    }
    Ok(())
}

async fn set<S: SessionStore>(t: Run<S>) -> CheckResult {
    for by_update in [false, true] {
        let lifetime = t.lifetime(20, 60);
        let (id, _) = t.begin(&signed_in(), lifetime).await?;
        let record = t.record(&id).await?;
        let shorter = set_to(t.ticks(2), lifetime);
        let set = t.extend(by_update, &id, &record, shorter).await?;
        t.alive(&id, set.plus(shorter.idle)).await?;
        t.pass(3).await;
        t.gone(&id, set.plus(shorter.idle)).await?;
    }
    Ok(())
}

async fn absolute<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, born) = t.begin(&signed_in(), t.lifetime(9, 3)).await?;
    t.alive(&id, born.plus(t.ticks(3))).await?;

    let lifetime = t.lifetime(4, 5);
    let (id, born) = t.begin(&signed_in(), lifetime).await?;
    let end = born.plus(lifetime.absolute);
    let mut record = t.record(&id).await?;
    t.pass(3).await;
    t.extend(false, &id, &record, lifetime).await?;
    t.alive(&id, end).await?;
    t.extend(true, &id, &record, lifetime).await?;
    t.alive(&id, end).await?;
    for patch in [renew(&record, record.verifier), rotate(&record)] {
        let updated = t.store().update(&id, &patch, lifetime).await?;
        equal(&updated, &Updated::Applied { renewed: true }, "an update with a new verifier answered")?;
        record = t.alive(&id, end).await?.0;
    }
    t.extend(false, &id, &record, set_to(t.ticks(9), lifetime)).await?;
    t.alive(&id, end).await?;
    t.pass(3).await;
    t.gone(&id, end).await
}

async fn unchanged<S: SessionStore>(t: Run<S>) -> CheckResult {
    let lifetime = t.lifetime(5, 50);
    let (id, born) = t.begin(&signed_in(), lifetime).await?;
    let record = t.record(&id).await?;
    t.pass(2).await;
    for by_update in [false, true] {
        t.extend(by_update, &id, &record, lifetime.unchanged()).await?;
        let (record, seen) = t.alive(&id, born.plus(lifetime.idle)).await?;
        t.age(record.ages.touched, born, seen, "the age since the last activity")?;
    }
    Ok(())
}

async fn identity<S: SessionStore>(t: Run<S>) -> CheckResult {
    let lifetime = t.lifetime(4, 5);
    let affirm = |record: &Record| Patch { identity: IdentityChange::Affirmed, ..Patch::unchanged(record) };
    let patches: [(fn(&Record) -> Patch, &str); 3] =
        [(|record| sign_in(record, b"8"), "a sign-in"), (sign_out, "a sign-out"), (affirm, "an affirmed identity")];
    let mut running = Vec::new();
    for (patch, name) in patches {
        let (id, born) = t.begin(&signed_in(), lifetime).await?;
        running.push((id, born, patch, name));
    }
    t.pass(3).await;
    for (id, born, patch, name) in running {
        let record = t.record(&id).await?;
        let patch = patch(&record);
        let rotates = patch.verifier != VerifierChange::Unchanged;
        let (updated, changed) = t.at(t.store().update(&id, &patch, lifetime)).await?;
        equal(&updated, &Updated::Applied { renewed: true }, &format!("{name} answered"))?;
        let (record, seen) = t.alive(&id, changed.plus(lifetime.idle)).await?;
        t.age(record.ages.identity, changed, seen, &format!("the age of the identity after {name}"))?;
        t.age(record.ages.created, born, seen, &format!("the age of the session after {name}"))?;
        let verified = if rotates { changed } else { born };
        t.age(record.ages.verifier, verified, seen, &format!("the age of the verifier after {name}"))?;
    }
    Ok(())
}

async fn refused<S: SessionStore>(t: Run<S>) -> CheckResult {
    let lifetime = t.lifetime(5, 50);
    let (id, born) = t.begin(&signed_in(), lifetime).await?;
    let record = t.record(&id).await?;
    t.pass(2).await;
    let late = Record { epoch: record.epoch.next(), ..record };
    let longer = t.lifetime(20, 50);
    let _ = t.store().touch(&id, late.epoch, longer).await?;
    let _ = t.store().update(&id, &change(&late, &[(&NOTE, Some(b"1"))]), longer).await?;
    let _ = t.store().destroy(&id, Some(late.epoch)).await?;
    let _ = t.store().insert(&id, &anonymous(), longer).await?;
    let (record, seen) = t.alive(&id, born.plus(lifetime.idle)).await?;
    t.age(record.ages.touched, born, seen, "the age since the last activity, after writes that were refused,")
}

async fn extremes<S: SessionStore>(t: Run<S>) -> CheckResult {
    let endless = Lifetime::new(Duration::MAX, Duration::MAX);
    let (id, _) = t.begin(&anonymous(), endless).await?;
    let record = t.record(&id).await?;
    t.pass(1).await;
    for by_update in [false, true] {
        t.extend(by_update, &id, &record, endless).await?;
        let record = t.record(&id).await?;
        ensure(record.expires_in > LONG.absolute, "an endless session has an end")?;
    }
    let over = set_to(Duration::ZERO, endless);
    let (_, ended) = t.at(t.store().update(&id, &rotate(&record), over)).await?;
    t.pass(1).await;
    t.gone(&id, ended).await?;
    let id = t.id();
    let (inserted, ended) =
        t.at(t.store().insert(&id, &anonymous(), Lifetime { idle: Duration::ZERO, ..endless })).await?;
    equal(&inserted, &Inserted::Inserted, "the insert of a session with a lifetime of zero answered")?;
    t.pass(1).await;
    t.gone(&id, ended).await
}
