//! A change of identity, with what it clears, in one write.

use crate::conformance::check::{Check, check};
use crate::conformance::records::{
    NOTE, anonymous, change, change_and_clear, rotate, sign_in, sign_out, signed_in, with_fields,
};
use crate::conformance::result::{CheckResult, applied, ensure, same};
use crate::conformance::run::Run;
use crate::record::{Clear, Epoch, IdentityChange, Keep, Patch, RawJson, Record};
use crate::session_store::SessionStore;

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    vec![
        check("R5", "a sign-in keeps the fields marked `keep` and `keep = \"sign_in\"`, and no others", signing_in),
        check("R5", "a sign-out or another identity keeps only the fields marked `keep`", leaving),
        check(
            "R5",
            "clearing goes by the marks in the record, even for fields that were added meanwhile",
            marks_in_the_record,
        ),
        check("R5", "the epoch of the identity changes only with the identity's value", identity_epoch),
        check("R5", "identity, verifier, fields and cookie attributes change together", together),
    ]
}

/// The patch does to the stored record what it does by the reference.
async fn as_by_reference<S, P>(t: &Run<S>, record: &Record, patch: P, when: &str) -> CheckResult
where
    S: SessionStore,
    P: FnOnce(&Record) -> Patch,
{
    let (id, record) = t.fresh(record).await?;
    let patch = patch(&record);
    let after = t.applied(&id, &patch).await?;
    same(&after, &applied(&patch, &record)?, when)
}

async fn signing_in<S: SessionStore>(t: Run<S>) -> CheckResult {
    as_by_reference(&t, &anonymous(), |record| sign_in(record, b"8"), "after a sign-in").await
}

async fn leaving<S: SessionStore>(t: Run<S>) -> CheckResult {
    as_by_reference(&t, &signed_in(), sign_out, "after a sign-out").await?;
    as_by_reference(&t, &signed_in(), |record| sign_in(record, b"8"), "after another identity signed in").await
}

async fn marks_in_the_record<S: SessionStore>(t: Run<S>) -> CheckResult {
    let loaded = signed_in();
    let newer =
        [("newer", Keep::No, b"1".as_slice()), ("newer cart", Keep::SignIn, b"2"), ("newer theme", Keep::Always, b"3")];
    let fields = loaded.fields.iter().map(|field| (field.name, field.keep, field.value));
    let record = with_fields(&loaded, fields.chain(newer));
    for (clear, when) in [
        (Clear::SignIn, "after a sign-in that had not seen them"),
        (Clear::Identity, "after a sign-out that had not seen them"),
    ] {
        let patch = |_: &Record| Patch {
            identity: IdentityChange::Set(RawJson::new(b"8")),
            verifier: rotate(&loaded).verifier,
            ..change_and_clear(&loaded, clear, &[(&NOTE, Some(b"1"))])
        };
        as_by_reference(&t, &record, patch, when).await?;
    }
    Ok(())
}

async fn identity_epoch<S: SessionStore>(t: Run<S>) -> CheckResult {
    let record = Record { epoch: Epoch(4), identity_epoch: Epoch(2), ..signed_in() };
    let (id, loaded) = t.fresh(&record).await?;
    let affirm = Patch { identity: IdentityChange::Affirmed, ..rotate(&loaded) };
    let record = t.applied(&id, &affirm).await?;
    ensure(record.identity_epoch == Epoch(2), "an identity that signed in again moved the epoch of the identity")?;
    ensure(record.identity == loaded.identity, "an identity that signed in again is another one")?;
    let record = t.applied(&id, &change(&record, &[(&NOTE, Some(b"1"))])).await?;
    ensure(record.identity_epoch == Epoch(2), "a change of a field moved the epoch of the identity")?;
    let record = t.applied(&id, &sign_in(&record, b"8")).await?;
    ensure(record.identity_epoch == record.epoch, "another identity did not move the epoch of the identity")?;
    let record = t.applied(&id, &sign_out(&record)).await?;
    ensure(record.identity.is_none(), "the identity outlived a sign-out")?;
    ensure(record.identity_epoch == record.epoch, "a sign-out did not move the epoch of the identity")
}

async fn together<S: SessionStore>(t: Run<S>) -> CheckResult {
    let attributes = RawJson::new(br#"{"maxAge": 1}"#);
    let patch = |record: &Record| Patch { cookie: Some(Some(attributes)), ..sign_in(record, b"8") };
    as_by_reference(&t, &anonymous(), patch, "after a patch of everything").await
}
