//! A change of identity, with what it clears, in one write (R5).

use super::{Check, check};
use crate::record::{Clear, Epoch, IdentityChange, Keep, Patch, RawJson, Row};
use crate::store::SessionStore;
use crate::store::conformance::rows::{
    NOTE, anonymous, change, change_and_clear, rotate, sign_in, sign_out, signed_in, with_fields,
};
use crate::store::conformance::trial::{Trial, Verdict, applied, ensure, same};

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    vec![
        check("R5", "a sign-in keeps the fields marked `keep` and `keep = \"sign_in\"`, and no others", signing_in),
        check("R5", "a sign-out, and another identity, keep the fields marked `keep` alone", leaving),
        check("R5", "clearing looks at the marks in the row, also of fields that came meanwhile", marks_in_the_row),
        check("R5", "the epoch of the identity moves when its value changes, and stays otherwise", identity_epoch),
        check("R5", "identity, verifier, fields and cookie attributes change together", together),
    ]
}

/// The patch does to the stored row what it does by the reference.
async fn as_by_reference<S, P>(t: &Trial<S>, row: &Row, patch: P, when: &str) -> Verdict
where
    S: SessionStore,
    P: FnOnce(&Row) -> Patch,
{
    let (id, row) = t.fresh(row).await?;
    let patch = patch(&row);
    let after = t.applied(&id, &patch).await?;
    same(&after, &applied(&patch, &row)?, when)
}

async fn signing_in<S: SessionStore>(t: Trial<S>) -> Verdict {
    as_by_reference(&t, &anonymous(), |row| sign_in(row, b"8"), "after a sign-in").await
}

async fn leaving<S: SessionStore>(t: Trial<S>) -> Verdict {
    as_by_reference(&t, &signed_in(), sign_out, "after a sign-out").await?;
    as_by_reference(&t, &signed_in(), |row| sign_in(row, b"8"), "after another identity signed in").await
}

async fn marks_in_the_row<S: SessionStore>(t: Trial<S>) -> Verdict {
    let loaded = signed_in();
    let newer =
        [("newer", Keep::No, b"1".as_slice()), ("newer cart", Keep::SignIn, b"2"), ("newer theme", Keep::Always, b"3")];
    let fields = loaded.fields.iter().map(|field| (field.name, field.keep, field.value));
    let row = with_fields(&loaded, fields.chain(newer));
    for (clear, when) in [
        (Clear::SignIn, "after a sign-in that had not seen them"),
        (Clear::Identity, "after a sign-out that had not seen them"),
    ] {
        let patch = |_: &Row| Patch {
            identity: IdentityChange::Set(RawJson::new(b"8")),
            verifier: rotate(&loaded).verifier,
            ..change_and_clear(&loaded, clear, &[(&NOTE, Some(b"1"))])
        };
        as_by_reference(&t, &row, patch, when).await?;
    }
    Ok(())
}

async fn identity_epoch<S: SessionStore>(t: Trial<S>) -> Verdict {
    let row = Row { epoch: Epoch(4), identity_epoch: Epoch(2), ..signed_in() };
    let (id, loaded) = t.fresh(&row).await?;
    let affirm = Patch { identity: IdentityChange::Affirmed, ..rotate(&loaded) };
    let row = t.applied(&id, &affirm).await?;
    ensure(row.identity_epoch == Epoch(2), "an identity that signed in again moved the epoch of the identity")?;
    ensure(row.identity == loaded.identity, "an identity that signed in again is another one")?;
    let row = t.applied(&id, &change(&row, &[(&NOTE, Some(b"1"))])).await?;
    ensure(row.identity_epoch == Epoch(2), "a change of a field moved the epoch of the identity")?;
    let row = t.applied(&id, &sign_in(&row, b"8")).await?;
    ensure(row.identity_epoch == row.epoch, "another identity did not move the epoch of the identity")?;
    let row = t.applied(&id, &sign_out(&row)).await?;
    ensure(row.identity.is_none(), "the identity outlived a sign-out")?;
    ensure(row.identity_epoch == row.epoch, "a sign-out did not move the epoch of the identity")
}

async fn together<S: SessionStore>(t: Trial<S>) -> Verdict {
    let attributes = RawJson::new(br#"{"maxAge": 1}"#);
    let patch = |row: &Row| Patch { cookie: Some(Some(attributes)), ..sign_in(row, b"8") };
    as_by_reference(&t, &anonymous(), patch, "after a patch of everything").await
}
