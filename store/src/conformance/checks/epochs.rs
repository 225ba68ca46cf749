//! A write that was computed for another epoch is refused (R4).

use crate::answer::{Destroyed, Touched, Updated};
use crate::conformance::check::{Check, check};
use crate::conformance::records::{CART, NOTE, anonymous, change, hash, rotate, sign_in, signed_in};
use crate::conformance::result::{CheckResult, Problem, applied, ensure, equal, same};
use crate::conformance::run::Run;
use crate::id::SessionId;
use crate::record::{Epoch, Record};
use crate::session_store::SessionStore;

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    vec![
        check("R4", "an update of another epoch is superseded, and writes nothing", update),
        check("R4", "a touch of another epoch is superseded", touch),
        check("R4", "a session is destroyed only in the given epoch, or in any epoch if none is given", destroy),
        check("R4", "a new verifier raises the epoch and voids the old verifier, in one write", rotation),
        check("R4", "a request that loaded the session before a rotation writes nothing after it", after_rotation),
    ]
}

/// A session in epoch 5, and the same record in epochs that it is not in.
async fn in_another_epoch<S: SessionStore>(t: &Run<S>) -> Result<(SessionId, Record, [Record; 4]), Problem> {
    let (id, record) = t.fresh(&Record { epoch: Epoch(5), identity_epoch: Epoch(4), ..signed_in() }).await?;
    let others = [0, 4, 6, 1 << 40].map(|epoch| Record { epoch: Epoch(epoch), ..record.clone() });
    Ok((id, record, others))
}

async fn update<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, record, others) = in_another_epoch(&t).await?;
    for other in &others {
        let field = change(other, &[(&NOTE, Some(b"1")), (&CART, None)]);
        for patch in [field, rotate(other), sign_in(other, b"8"), change(other, &[])] {
            let updated = t.update(&id, &patch).await?;
            equal(&updated, &Updated::Superseded, "an update of another epoch answered")?;
            same(&t.record(&id).await?, &record, "after an update of another epoch")?;
        }
    }
    Ok(())
}

async fn touch<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, _, others) = in_another_epoch(&t).await?;
    for other in &others {
        equal(&t.touch(&id, other).await?, &Touched::Superseded, "a touch of another epoch answered")?;
    }
    Ok(())
}

async fn destroy<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, record, others) = in_another_epoch(&t).await?;
    for other in &others {
        let destroyed = t.store().destroy(&id, Some(other.epoch)).await?;
        equal(&destroyed, &Destroyed::Superseded, "destroying a session in another epoch answered")?;
        same(&t.record(&id).await?, &record, "after a call to destroy it in another epoch")?;
    }
    let destroyed = t.store().destroy(&id, None).await?;
    equal(&destroyed, &Destroyed::Destroyed, "destroying a session in any epoch answered")
}

async fn rotation<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, record) = t.fresh(&Record { previous: Some(hash()), ..signed_in() }).await?;
    let patch = rotate(&record);
    let after = t.applied(&id, &patch).await?;
    ensure(after.epoch == record.epoch.next(), "a new verifier did not raise the epoch")?;
    ensure(after.verifier != record.verifier, "a rotation did not change the verifier")?;
    ensure(after.previous.is_none(), "a previous verifier is still valid after a rotation")?;
    same(&after, &applied(&patch, &record)?, "after a rotation")
}

async fn after_rotation<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, loaded) = t.fresh(&anonymous()).await?;
    let after = t.applied(&id, &sign_in(&loaded, b"8")).await?;
    let late = t.update(&id, &change(&loaded, &[(&NOTE, Some(b"late"))])).await?;
    equal(&late, &Updated::Superseded, "an update loaded before a sign-in answered")?;
    equal(&t.touch(&id, &loaded).await?, &Touched::Superseded, "a touch loaded before a sign-in answered")?;
    let destroyed = t.store().destroy(&id, Some(loaded.epoch)).await?;
    equal(&destroyed, &Destroyed::Superseded, "destroying a session as loaded before a sign-in answered")?;
    same(&t.record(&id).await?, &after, "after late writes")
}
