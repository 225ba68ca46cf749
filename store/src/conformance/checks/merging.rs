//! Merge rules and gates, one call after the other (R9, R10, R13, R14).

use crate::answer::Updated;
use crate::conformance::check::{Check, check};
use crate::conformance::records::{
    COUNT, NOTE, ONCE, THEME, WITNESS, add_one, anonymous, change, change_and_clear, count, gate, sign_in,
};
use crate::conformance::result::{CheckResult, broken, ensure, equal, same};
use crate::conformance::run::Run;
use crate::id::SessionId;
use crate::record::{Patch, Record};
use crate::session_store::SessionStore;

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    vec![
        check("R10", "a store does not merge: it answers with a conflict and the record as it is", conflict),
        check("R10", "concurrent changes of a field are joined by its merge rule, once", joined),
        check("R10", "a merge rule is given the value that was loaded, the stored one and the new one", arguments),
        check("R10", "a field that nobody else changed is not a conflict", not_merged),
        check("R10", "after a conflict, the rebased patch is applied as a whole", rebased),
        check("R9", "a patch with one conflict writes none of its parts", refusal),
        check(
            "R13",
            "a gate is refused if a field that it names has changed meanwhile, whatever its merge rule",
            gates,
        ),
        check("R13", "a gate depends only on the fields that it names", gates_mind_their_own),
        check("R14", "a patch is refused if the fields would grow over its limit", limit),
        check("R5", "a field that is cleared is not merged", cleared),
    ]
}

/// Every way in which a field with a merge rule can have moved.
const MOVED: [(Option<&[u8]>, Option<&[u8]>, Option<&[u8]>); 5] = [
    (Some(b"1"), Some(b"2"), Some(b"3")),
    (None, Some(b"2"), Some(b"3")),
    (Some(b"1"), None, Some(b"3")),
    (Some(b"1"), Some(b"2"), None),
    (None, Some(b"2"), None),
];

async fn conflict<S: SessionStore>(t: Run<S>) -> CheckResult {
    for (base, theirs, ours) in MOVED {
        let (id, record) = t.fresh(&anonymous()).await?;
        let loaded = t.applied(&id, &change(&record, &[(&COUNT, base)])).await?;
        t.applied(&id, &change(&loaded, &[(&COUNT, theirs), (&THEME, Some(b"1"))])).await?;
        let patch = change(&loaded, &[(&NOTE, Some(b"1")), (&COUNT, ours)]);
        refused(&t, &id, &patch, "an update of a merged field that was changed meanwhile").await?;
    }
    Ok(())
}

async fn joined<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, loaded) = t.fresh(&anonymous()).await?;
    let value = |number: i64| number.to_string().into_bytes();
    for (ours, expected) in [(15, 15), (12, 17), (9, 16)] {
        let patch = change(&loaded, &[(&COUNT, Some(&value(ours)))]);
        let updated = t.commit(0, &id, &patch).await?;
        equal(&updated, &Some(Updated::Applied { renewed: true }), "an update with a merge rule answered")?;
        let found = count(&t.record(&id).await?, &COUNT);
        equal(&found, &expected, "counted on from 10 by several requests, a field was")?;
    }
    Ok(())
}

async fn arguments<S: SessionStore>(t: Run<S>) -> CheckResult {
    for (base, theirs, ours) in [
        (Some("a"), Some("b"), Some("c")),
        (None, Some("b"), Some("c")),
        (Some("a"), None, Some("c")),
        (Some("a"), Some("b"), None),
        (None, Some("b"), None),
    ] {
        let bytes = |value: Option<&'static str>| value.map(str::as_bytes);
        let (id, record) = t.fresh(&anonymous()).await?;
        let loaded = t.applied(&id, &change(&record, &[(&WITNESS, bytes(base))])).await?;
        t.applied(&id, &change(&loaded, &[(&WITNESS, bytes(theirs))])).await?;
        t.commit(0, &id, &change(&loaded, &[(&WITNESS, bytes(ours))])).await?;
        let text = |value: Option<&'static str>| value.unwrap_or_default();
        let expected = format!("{}|{}|{}", text(base), text(theirs), text(ours));
        let found = t.record(&id).await?.fields.find(WITNESS.name).map(|raw| String::from_utf8_lossy(raw).into_owned());
        equal(&found, &Some(expected), "a merge rule's base, theirs and ours were")?;
    }
    Ok(())
}

async fn not_merged<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, loaded) = t.fresh(&anonymous()).await?;
    t.applied(&id, &change(&loaded, &[(&NOTE, Some(b"1"))])).await?;
    let record = t.applied(&id, &change(&loaded, &[(&WITNESS, Some(b"ours")), (&ONCE, Some(b"1"))])).await?;
    equal(&record.fields.find(WITNESS.name), &Some(b"ours".as_slice()), "a field that nobody else changed was")?;
    ensure(record.fields.find(NOTE.name) == Some(b"1"), "a patch of other fields undid a change")
}

async fn rebased<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, loaded) = t.fresh(&anonymous()).await?;
    let now = t.applied(&id, &change(&loaded, &[(&COUNT, Some(b"20")), (&THEME, Some(b"1"))])).await?;
    let patch = Patch { verifier: sign_in(&loaded, b"8").verifier, ..add_one(&loaded) };
    refused(&t, &id, &patch, "an update that finds another value").await?;
    let Ok(rebased) = patch.rebase(&now.fields) else { return broken("the suite's own patch is refused") };
    let after = t.applied(&id, &rebased).await?;
    equal(&count(&after, &COUNT), &21, "after the conflict was resolved, the field was")?;
    ensure(after.epoch == now.epoch.next(), "a patch that was applied after a conflict did not change the verifier")
}

/// The patch is refused with the record as it is, and has written nothing.
async fn refused<S: SessionStore>(t: &Run<S>, id: &SessionId, patch: &Patch, what: &str) -> CheckResult {
    let now = t.record(id).await?;
    match t.update(id, patch).await? {
        Updated::Conflict(record) => same(&record, &now, "in the record that came with a conflict")?,
        other => return broken(format!("{what} answered {other:?} instead of a conflict")),
    }
    same(&t.record(id).await?, &now, &format!("after {what} was refused"))
}

async fn refusal<S: SessionStore>(t: Run<S>) -> CheckResult {
    for (ours, theirs) in [(Some(b"1".as_slice()), Some(b"2".as_slice())), (Some(b"1"), None), (None, Some(b"2"))] {
        let (id, record) = t.fresh(&anonymous()).await?;
        let loaded = t.applied(&id, &change(&record, &[(&ONCE, Some(b"0"))])).await?;
        t.applied(&id, &change(&loaded, &[(&ONCE, theirs)])).await?;
        let all = change(&loaded, &[(&NOTE, Some(b"1")), (&THEME, None), (&ONCE, ours), (&COUNT, Some(b"11"))]);
        let sign_in = sign_in(&loaded, b"8");
        let patch = Patch { identity: sign_in.identity, verifier: sign_in.verifier, cookie: Some(None), ..all };
        refused(&t, &id, &patch, "an update that its merge rule refuses").await?;
        let now = t.record(&id).await?;
        equal(&t.commit(0, &id, &patch).await?, &None, "an update that its merge rule refuses answered in the end")?;
        same(&t.record(&id).await?, &now, "after an update that its merge rule refuses")?;
    }
    Ok(())
}

async fn gates<S: SessionStore>(t: Run<S>) -> CheckResult {
    for field in [&NOTE, &COUNT, &WITNESS, &ONCE] {
        for (base, theirs) in [(Some(b"1".as_slice()), Some(b"2".as_slice())), (Some(b"1"), None), (None, Some(b"2"))] {
            let (id, record) = t.fresh(&anonymous()).await?;
            let loaded = t.applied(&id, &change(&record, &[(field, base)])).await?;
            t.applied(&id, &change(&loaded, &[(field, theirs)])).await?;
            let patch = gate(&loaded, &[(&THEME, Some(b"1")), (field, Some(b"3"))]);
            refused(&t, &id, &patch, &format!("a gate on the field {:?} that was changed meanwhile", field.name))
                .await?;
        }
    }
    Ok(())
}

async fn gates_mind_their_own<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, loaded) = t.fresh(&anonymous()).await?;
    t.applied(&id, &change(&loaded, &[(&COUNT, Some(b"11")), (&THEME, None)])).await?;
    let after = t.applied(&id, &gate(&loaded, &[(&NOTE, None), (&ONCE, Some(b"1"))])).await?;
    equal(&count(&after, &COUNT), &11, "a field that a gate does not name was")?;
    ensure(after.fields.find(THEME.name).is_none(), "a gate brought back a field that it does not name")?;
    ensure(after.fields.find(NOTE.name).is_none(), "a gate did not take its field")
}

async fn limit<S: SessionStore>(t: Run<S>) -> CheckResult {
    let long = [b'x'; 300];
    // Two changes that do not conflict, and one that does: neither may make the fields larger than the patch allows.
    for ours in [&NOTE, &WITNESS] {
        let (id, loaded) = t.fresh(&anonymous()).await?;
        t.applied(&id, &change(&loaded, &[(&THEME, Some(&long)), (&WITNESS, Some(&long))])).await?;
        let patch = change(&loaded, &[(ours, Some(&long))]);
        let limit = patch.result.as_bytes().len() + 100;
        let small = Patch { limit, ..patch.clone() };
        refused(&t, &id, &small, "an update whose fields would be larger than its limit").await?;
        let now = t.record(&id).await?;
        equal(&t.commit(0, &id, &small).await?, &None, "an update over its limit answered in the end")?;
        same(&t.record(&id).await?, &now, "after an update over its limit")?;
        let updated = t.commit(0, &id, &Patch { limit: 4 * limit, ..patch }).await?;
        let applied = Some(Updated::Applied { renewed: true });
        equal(&updated, &applied, "an update whose fields are smaller than its limit answered")?;
    }
    Ok(())
}

async fn cleared<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, loaded) = t.fresh(&anonymous()).await?;
    t.applied(&id, &change(&loaded, &[(&COUNT, Some(b"99")), (&ONCE, Some(b"1"))])).await?;
    let sign_in = sign_in(&loaded, b"8");
    let fields = change_and_clear(&loaded, sign_in.clear, &[(&COUNT, Some(b"1")), (&ONCE, Some(b"2"))]);
    let patch = Patch { identity: sign_in.identity, verifier: sign_in.verifier, ..fields };
    let after = t.applied(&id, &patch).await?;
    let expected = Record { fields: patch.result.clone(), ..after.clone() };
    same(&after, &expected, "after a sign-in that writes fields which it clears")
}
