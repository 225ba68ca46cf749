//! Records of the express format (R27).

use crate::answer::Inserted;
use crate::conformance::check::{Check, check};
use crate::conformance::records::{LONG, NOTE, anonymous, change, signed_in, with_fields};
use crate::conformance::result::{CheckResult, ensure, equal, same};
use crate::conformance::run::Run;
use crate::id::SessionId;
use crate::record::{Keep, Patch, RawJson, Record, VerifierHash};
use crate::session_store::ExpressFormat;

pub(super) fn checks<S: ExpressFormat>() -> Vec<Check<S>> {
    vec![
        check("R27", "an id of express-session or its users is the key as it stands", raw_ids),
        check("R27", "records with the same verifier hash are separate sessions", one_verifier),
        check("R27", "fields and cookie attributes of Node come back byte for byte", fields_of_node),
    ]
}

async fn raw_ids<S: ExpressFormat>(t: Run<S>) -> CheckResult {
    let unique = t.id();
    let ids = [
        format!("{}0123456789", unique.as_str()), // uid-safe: 32 letters
        format!("{}-_", unique.as_str()),
        format!("user/{}", unique.as_str()), // a prefix, as express-session's README shows for genid
        format!("{0:x<128}", unique.as_str()),
    ];
    for text in ids {
        let Ok(id) = SessionId::try_from(text.as_str()).map(|id| t.note(id)) else { continue };
        let record = signed_in();
        let inserted = t.store().insert(&id, &record, LONG).await?;
        equal(&inserted, &Inserted::Inserted, "the insert of a session under a raw id answered")?;
        same(&t.record(&id).await?, &record, "under a raw id")?;
        t.destroy(&id).await?;
        ensure(t.load(&id).await?.is_some_and(|record| record.is_tombstone()), "a destroyed raw id left no marker")?;
    }
    Ok(())
}

async fn one_verifier<S: ExpressFormat>(t: Run<S>) -> CheckResult {
    let shared = |record: Record| Record { verifier: VerifierHash([1; 32]), ..record };
    let (one, record) = t.fresh(&shared(anonymous())).await?;
    let (two, other) = t.fresh(&shared(signed_in())).await?;
    t.applied(&one, &change(&record, &[(&NOTE, Some(b"1"))])).await?;
    same(&t.record(&two).await?, &other, "after an update of another session with the same verifier")?;
    t.destroy(&one).await?;
    same(&t.record(&two).await?, &other, "after another session with the same verifier was destroyed")
}

async fn fields_of_node<S: ExpressFormat>(t: Run<S>) -> CheckResult {
    let fields = [
        ("views", Keep::No, b"1".as_slice()),
        ("passport", Keep::No, br#"{"user":"5f1"}"#),
        ("flash", Keep::No, "{\"info\":[\"\u{1F36A}\",\"\\u2028\"]}".as_bytes()),
        ("ratio", Keep::No, b"0.1"),
        ("gone", Keep::No, b"null"),
        ("__lastAccess", Keep::No, b"1700000000000"),
    ];
    let node = br#"{"originalMaxAge":null,"expires":"2030-01-01T00:00:00.000Z","httpOnly":true,"path":"/"}"#;
    let record =
        Record { cookie: Some(RawJson::new(node)), ..with_fields(&Record::new(VerifierHash([1; 32])), fields) };
    let (id, found) = t.fresh(&record).await?;
    same(&found, &record, "after the insert")?;
    let patch: Patch = change(&found, &[(&NOTE, Some(b"\"ours\""))]);
    let after = t.applied(&id, &patch).await?;
    same(&after, &Record { fields: patch.result, ..record }, "after an update")
}
