//! Requests at the same moment, in threads.

use crate::answer::{Destroyed, Inserted, Touched, Updated};
use crate::conformance::check::{Check, check};
use crate::conformance::records::{
    CART, COUNT, LONG, NOTE, ONCE, THEME, TITLE, WITNESS, add_one, anonymous, change, count, difference, gate, renew,
    rotate, sign_in, signed_in,
};
use crate::conformance::result::{CheckResult, applied, broken, ensure, equal, same};
use crate::conformance::run::{RACERS, Run};
use crate::id::SessionId;
use crate::record::{Field, IdentityChange, Patch, RawJson, Record, VerifierChange, VerifierHash};
use crate::session_store::SessionStore;

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    vec![
        check("R9", "concurrent additions add up", additions),
        check("R9", "concurrent writes of different fields all survive", different_fields),
        check("R7", "a touch at the same moment undoes no change", touches),
        check("R8", "slow writers never bring back a session that is destroyed meanwhile", destruction),
        check("R4", "of concurrent sign-ins, exactly one happens, as a whole", sign_ins),
        check("R4", "after a sign-in, no request that loaded the session before writes anything", sign_in_and_updates),
        check("R8", "of concurrent inserts of one id, exactly one succeeds", racing_inserts),
        check("R9", "a load sees a whole write, never half of one", half_writes),
        check("R13", "of concurrent gates, exactly one passes", gates),
        check("R6", "of concurrent renewals, exactly one happens, and no change is lost", renewals),
        check("R8", "of concurrent calls to destroy, exactly one finds the session", destructions),
        check("R4", "of a sign-in and a call to destroy in the same epoch, exactly one happens", sign_in_or_destroy),
    ]
}

const EACH: i64 = 5;

async fn additions<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, record) = t.fresh(&anonymous()).await?;
    let shared = id.clone();
    let each = EACH * t.setup.rounds as i64;
    t.race(move |t, number| {
        let id = shared.clone();
        async move {
            for _ in 0..each {
                let Some(record) = t.handle(number).load(&id).await? else {
                    return broken("a stored session is not found");
                };
                let updated = t.commit(number, &id, &add_one(&record)).await?;
                equal(&updated, &Some(Updated::Applied { renewed: true }), "an addition answered")?;
            }
            Ok(())
        }
    })
    .await?;
    let expected = count(&record, &COUNT) + each * RACERS as i64;
    equal(&count(&t.record(&id).await?, &COUNT), &expected, "after concurrent additions the sum was")
}

async fn different_fields<S: SessionStore>(t: Run<S>) -> CheckResult {
    static FIELDS: [&Field; 4] = [&NOTE, &CART, &THEME, &TITLE];
    for _ in 0..t.setup.rounds {
        let (id, loaded) = t.fresh(&anonymous()).await?;
        let (shared, base) = (id.clone(), loaded.clone());
        t.race(move |t, number| {
            let (id, loaded) = (shared.clone(), base.clone());
            async move {
                let Some(field) = FIELDS.get(number) else { return Ok(()) };
                let updated = t.commit(number, &id, &change(&loaded, &[(field, Some(b"\"new\""))])).await?;
                equal(&updated, &Some(Updated::Applied { renewed: true }), "one of concurrent updates answered")
            }
        })
        .await?;
        let record = t.record(&id).await?;
        let all = FIELDS.iter().all(|field| record.fields.find(field.name) == Some(b"\"new\""));
        ensure(all, "an update undid the concurrent change of another field")?;
    }
    Ok(())
}

async fn touches<S: SessionStore>(t: Run<S>) -> CheckResult {
    for _ in 0..t.setup.rounds {
        let (id, record) = t.fresh(&anonymous()).await?;
        let (shared, base) = (id.clone(), record.clone());
        t.race(move |t, number| touch_or_add(t, number, shared.clone(), base.clone())).await?;
        let expected = count(&record, &COUNT) + EACH * (RACERS / 2) as i64;
        equal(&count(&t.record(&id).await?, &COUNT), &expected, "after additions between touches the sum was")?;
    }
    Ok(())
}

async fn touch_or_add<S: SessionStore>(t: Run<S>, number: usize, id: SessionId, record: Record) -> CheckResult {
    for _ in 0..EACH {
        if number.is_multiple_of(2) {
            let touched = t.handle(number).touch(&id, record.epoch, LONG).await?;
            equal(&touched, &Touched::Applied, "a touch answered")?;
        } else {
            let Some(record) = t.handle(number).load(&id).await? else { return broken("a session is not found") };
            t.commit(number, &id, &add_one(&record)).await?;
        }
    }
    Ok(())
}

async fn destruction<S: SessionStore>(t: Run<S>) -> CheckResult {
    for _ in 0..t.setup.rounds {
        let (id, loaded) = t.fresh(&signed_in()).await?;
        let (shared, base) = (id.clone(), loaded.clone());
        t.race(move |t, number| {
            let (id, loaded) = (shared.clone(), base.clone());
            async move {
                if number == 0 {
                    let destroyed = t.handle(0).destroy(&id, None).await?;
                    return equal(&destroyed, &Destroyed::Destroyed, "destroying a session answered");
                }
                for _ in 0..3 {
                    t.commit(number, &id, &add_one(&loaded)).await?;
                    let _ = t.handle(number).touch(&id, loaded.epoch, LONG).await?;
                    let _ = t.handle(number).insert(&id, &loaded, LONG).await?;
                }
                Ok(())
            }
        })
        .await?;
        let dead = t.load(&id).await?.is_some_and(|record| record.is_tombstone());
        ensure(dead, "a destroyed session is back, written by a request that had loaded it before")?;
    }
    Ok(())
}

async fn sign_ins<S: SessionStore>(t: Run<S>) -> CheckResult {
    for _ in 0..t.setup.rounds {
        let (id, loaded) = t.fresh(&anonymous()).await?;
        let (shared, base) = (id.clone(), loaded.clone());
        let answers = t
            .race(move |t, number| {
                let (id, patch) = (shared.clone(), sign_in(&base, number.to_string().as_bytes()));
                async move { Ok((t.commit(number, &id, &patch).await?, patch)) }
            })
            .await?;
        let winner = Some(Updated::Applied { renewed: true });
        let winners: Vec<_> = answers.iter().filter(|(updated, _)| *updated == winner).collect();
        equal(&winners.len(), &1, "the number of concurrent sign-ins that were applied was")?;
        let losers = answers.iter().filter(|(updated, _)| *updated == Some(Updated::Superseded)).count();
        equal(&losers, &(RACERS - 1), "the number of concurrent sign-ins that were superseded was")?;
        for (_, patch) in winners {
            same(&t.record(&id).await?, &applied(patch, &loaded)?, "after concurrent sign-ins")?;
        }
    }
    Ok(())
}

async fn sign_in_and_updates<S: SessionStore>(t: Run<S>) -> CheckResult {
    for _ in 0..t.setup.rounds {
        let (id, loaded) = t.fresh(&anonymous()).await?;
        let (shared, base) = (id.clone(), loaded.clone());
        let seen = t
            .race(move |t, number| {
                let (id, loaded) = (shared.clone(), base.clone());
                async move {
                    if number == 0 {
                        let updated = t.commit(0, &id, &sign_in(&loaded, b"8")).await?;
                        equal(&updated, &Some(Updated::Applied { renewed: true }), "a sign-in answered")?;
                        return Ok(t.handle(0).load(&id).await?);
                    }
                    for _ in 0..3 {
                        let patch = change(&loaded, &[(&THEME, Some(number.to_string().as_bytes()))]);
                        t.commit(number, &id, &patch).await?;
                    }
                    Ok(None)
                }
            })
            .await?;
        let [Some(after), ..] = seen.as_slice() else { return broken("a stored session is not found") };
        same(&t.record(&id).await?, after, "after updates that were loaded before a sign-in")?;
    }
    Ok(())
}

/// A patch that writes one number everywhere, so that halves of two writes do not go together.
fn stamp(record: &Record, number: u64) -> Patch {
    let value = number.to_string().into_bytes();
    let mut verifier = [7; 32];
    verifier[..8].copy_from_slice(&number.to_le_bytes());
    Patch {
        identity: IdentityChange::Set(RawJson::new(&value)),
        verifier: VerifierChange::Rotate(VerifierHash(verifier)),
        cookie: Some(Some(RawJson::new(&value))),
        ..change(record, &[(&NOTE, Some(&value)), (&THEME, Some(&value))])
    }
}

async fn half_writes<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, record) = t.fresh(&anonymous()).await?;
    let first = t.applied(&id, &stamp(&record, 1)).await?;
    let offset = first.epoch.0.saturating_sub(1);
    t.race(move |t, number| {
        let id = id.clone();
        async move {
            for _ in 0..2 * t.setup.rounds {
                let Some(record) = t.handle(number).load(&id).await? else {
                    return broken("a stored session is not found");
                };
                let number_in_record = record.epoch.0.saturating_sub(offset);
                let expected = applied(&stamp(&record, number_in_record), &record)?;
                let expected = Record { epoch: record.epoch, identity_epoch: record.epoch, ..expected };
                if let Some(part) = difference(&record, &expected) {
                    return broken(format!("in the same load, {part} is of another write than the epoch"));
                }
                if number < 2 {
                    t.commit(number, &id, &stamp(&record, number_in_record + 1)).await?;
                }
            }
            Ok(())
        }
    })
    .await?;
    Ok(())
}

async fn gates<S: SessionStore>(t: Run<S>) -> CheckResult {
    static FIELDS: [&Field; 4] = [&NOTE, &COUNT, &WITNESS, &ONCE];
    for field in FIELDS.iter().cycle().take(t.setup.rounds) {
        let (id, record) = t.fresh(&anonymous()).await?;
        let loaded = t.applied(&id, &change(&record, &[(field, Some(b"\"once\""))])).await?;
        let answers = t
            .race(move |t, number| {
                let (id, patch) = (id.clone(), gate(&loaded, &[(field, None)]));
                async move { Ok(t.handle(number).update(&id, &patch, LONG).await?) }
            })
            .await?;
        let passed = answers.iter().filter(|answer| matches!(answer, Updated::Applied { .. })).count();
        equal(&passed, &1, "the number of requests that passed one gate was")?;
        let refused = answers.iter().filter(|answer| matches!(answer, Updated::Conflict(_))).count();
        equal(&refused, &(RACERS - 1), "the number of requests that a gate refused was")?;
    }
    Ok(())
}

async fn renewals<S: SessionStore>(t: Run<S>) -> CheckResult {
    for _ in 0..t.setup.rounds {
        let (id, loaded) = t.fresh(&anonymous()).await?;
        let (shared, base) = (id.clone(), loaded.clone());
        let answers = t
            .race(move |t, number| {
                let id = shared.clone();
                let patch = Patch { verifier: renew(&base, base.verifier).verifier, ..add_one(&base) };
                async move { Ok((t.commit(number, &id, &patch).await?, patch.verifier)) }
            })
            .await?;
        let winner = Some(Updated::Applied { renewed: true });
        let winners: Vec<_> = answers.iter().filter(|(updated, _)| *updated == winner).collect();
        equal(&winners.len(), &1, "the number of concurrent renewals that happened was")?;
        let record = t.record(&id).await?;
        let stored = |change: &VerifierChange| match *change {
            VerifierChange::Renew { new, current } => new == record.verifier && Some(current) == record.previous,
            _ => false,
        };
        let of_winner = winners.iter().all(|(_, change)| stored(change));
        ensure(of_winner, "after concurrent renewals the verifier is not the winner's")?;
        let expected = count(&loaded, &COUNT) + RACERS as i64;
        equal(&count(&record, &COUNT), &expected, "after additions in concurrent renewals the sum was")?;
    }
    Ok(())
}

async fn destructions<S: SessionStore>(t: Run<S>) -> CheckResult {
    for _ in 0..t.setup.rounds {
        let (id, record) = t.fresh(&signed_in()).await?;
        let answers = t
            .race(move |t, number| {
                let (id, epoch) = (id.clone(), (number % 2 == 0).then_some(record.epoch));
                async move { Ok(t.handle(number).destroy(&id, epoch).await?) }
            })
            .await?;
        let found = answers.iter().filter(|answer| **answer == Destroyed::Destroyed).count();
        equal(&found, &1, "the number of concurrent calls to destroy that found the session was")?;
    }
    Ok(())
}

async fn sign_in_or_destroy<S: SessionStore>(t: Run<S>) -> CheckResult {
    for _ in 0..t.setup.rounds {
        let (id, loaded) = t.fresh(&anonymous()).await?;
        let (shared, base) = (id.clone(), loaded.clone());
        let answers = t
            .race(move |t, number| {
                let (id, loaded) = (shared.clone(), base.clone());
                async move {
                    Ok(match number {
                        0 => {
                            t.handle(0).update(&id, &rotate(&loaded), LONG).await? == Updated::Applied { renewed: true }
                        }
                        1 => t.handle(1).destroy(&id, Some(loaded.epoch)).await? == Destroyed::Destroyed,
                        _ => false,
                    })
                }
            })
            .await?;
        let happened = answers.iter().filter(|happened| **happened).count();
        equal(&happened, &1, "of a sign-in and a call to destroy in the same epoch, the number that happened was")?;
        let dead = t.load(&id).await?.is_none_or(|record| record.is_tombstone());
        ensure(
            dead == answers.get(1).copied().unwrap_or_default(),
            "the store does not show which of the two happened",
        )?;
    }
    Ok(())
}

async fn racing_inserts<S: SessionStore>(t: Run<S>) -> CheckResult {
    for _ in 0..t.setup.rounds {
        let id = t.id();
        let answers = t
            .race(|t, number| {
                let (id, record) = (id.clone(), anonymous());
                async move { Ok((t.handle(number).insert(&id, &record, LONG).await?, record)) }
            })
            .await?;
        let winners: Vec<_> = answers.iter().filter(|(inserted, _)| *inserted == Inserted::Inserted).collect();
        equal(&winners.len(), &1, "the number of concurrent inserts of one id that succeeded was")?;
        for (_, record) in winners {
            same(&t.record(&id).await?, record, "after concurrent inserts")?;
        }
    }
    Ok(())
}
