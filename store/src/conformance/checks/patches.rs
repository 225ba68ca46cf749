//! A patch writes what it names, and nothing else (R9, R15, R17).

use crate::answer::Touched;
use crate::conformance::check::{Check, check};
use crate::conformance::records::{CART, NOTE, THEME, TITLE, anonymous, change, hash, rotate, signed_in, with_fields};
use crate::conformance::result::{CheckResult, ensure, equal, same};
use crate::conformance::run::Run;
use crate::record::{Keep, RawJson, Record};
use crate::session_store::SessionStore;

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    vec![
        check("R9", "a patch writes all fields that it names, together", named_fields),
        check("R9", "a patch removes the fields that it removes", removal),
        check("R9", "a patch without changes changes nothing", unchanged),
        check("R9", "a field that another request has changed keeps its value, unless the patch names it", others),
        check("R17", "fields that the patch does not know survive", unknown),
        check("R17", "a rotation leaves all fields alone", rotation),
        check("R15", "writing a field removes it under its older names", aliases),
        check("R15", "removing a field removes it under its older names", removed_aliases),
        check("R7", "a touch writes no data", touch),
        check("R9", "the revision given to an insert is ignored, and a load does not change it", revision),
    ]
}

async fn named_fields<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, record) = t.fresh(&signed_in()).await?;
    let patch = change(&record, &[(&NOTE, Some(b"1")), (&THEME, Some(b"2")), (&TITLE, Some(b"3")), (&CART, None)]);
    let after = t.applied(&id, &patch).await?;
    same(&after, &Record { fields: patch.result, ..record }, "after an update")
}

async fn removal<S: SessionStore>(t: Run<S>) -> CheckResult {
    let record = with_fields(&signed_in(), [("note", Keep::No, b"1".as_slice()), ("theme", Keep::Always, b"2")]);
    let (id, mut record) = t.fresh(&record).await?;
    for field in [&NOTE, &THEME] {
        record = t.applied(&id, &change(&record, &[(field, None)])).await?;
        ensure(record.fields.find(field.name).is_none(), "a removed field is still there")?;
    }
    ensure(record.fields.is_empty(), "a record has fields though all were removed")?;
    let record = t.applied(&id, &change(&record, &[(&NOTE, None)])).await?;
    ensure(record.fields.is_empty(), "removing an absent field stored something")
}

async fn unchanged<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, record) = t.fresh(&signed_in()).await?;
    let after = t.applied(&id, &change(&record, &[])).await?;
    same(&after, &record, "after a patch without changes")
}

async fn others<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, loaded) = t.fresh(&anonymous()).await?;
    let theirs = change(&loaded, &[(&NOTE, Some(b"\"theirs\"")), (&CART, Some(b"\"theirs\"")), (&THEME, None)]);
    t.applied(&id, &theirs).await?;
    let after = t.applied(&id, &change(&loaded, &[(&NOTE, Some(b"\"ours\""))])).await?;
    equal(&after.fields.find("note"), &Some(b"\"ours\"".as_slice()), "the field that a patch wrote was")?;
    equal(
        &after.fields.find("cart"),
        &Some(b"\"theirs\"".as_slice()),
        "a field that another request wrote and the patch does not name was",
    )?;
    ensure(after.fields.find("theme").is_none(), "a patch brought back a field that another request had removed")?;
    let after = t.applied(&id, &change(&loaded, &[(&THEME, Some(b"1"))])).await?;
    let mark = after.fields.field("theme").map(|field| field.keep);
    equal(&mark, &Some(Keep::Always), "the mark of a field that was removed and written again was")
}

async fn unknown<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, loaded) = t.fresh(&anonymous()).await?;
    // This patch was made by a program that knows one field, and has loaded no other.
    let narrow = with_fields(&loaded, [("note", Keep::No, b"\"of a visitor\"".as_slice())]);
    let after = t.applied(&id, &change(&narrow, &[(&NOTE, Some(b"1"))])).await?;
    let expected = change(&loaded, &[(&NOTE, Some(b"1"))]).result;
    same(&after, &Record { fields: expected, ..loaded }, "after a patch that does not know the other fields")
}

async fn rotation<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, record) = t.fresh(&signed_in()).await?;
    let after = t.applied(&id, &rotate(&record)).await?;
    ensure(after.fields == record.fields, "a rotation changed the fields")?;
    ensure(after.identity == record.identity, "a rotation changed the identity")
}

fn titled(names: &[&'static str]) -> Record {
    let fields = names.iter().map(|name| (*name, Keep::No, b"\"old\"".as_slice()));
    with_fields(&signed_in(), fields.chain([("other", Keep::No, b"1".as_slice())]))
}

const NAMES: [&[&str]; 4] = [&["heading"], &["caption"], &["heading", "caption"], &["caption", "title", "heading"]];

async fn aliases<S: SessionStore>(t: Run<S>) -> CheckResult {
    for names in NAMES {
        let (id, record) = t.fresh(&titled(names)).await?;
        let after = t.applied(&id, &change(&record, &[(&TITLE, Some(b"\"new\""))])).await?;
        let found: Vec<&str> = after.fields.iter().map(|field| field.name).filter(|name| TITLE.owns(name)).collect();
        equal(&found, &vec!["title"], "after a field was written, its names in the record were")?;
        equal(&after.fields.find("other"), &Some(b"1".as_slice()), "another field was")?;
    }
    Ok(())
}

async fn removed_aliases<S: SessionStore>(t: Run<S>) -> CheckResult {
    for names in NAMES {
        let (id, record) = t.fresh(&titled(names)).await?;
        let after = t.applied(&id, &change(&record, &[(&TITLE, None)])).await?;
        ensure(after.fields.read(&TITLE).is_none(), "a removed field is still there under an older name")?;
    }
    Ok(())
}

async fn touch<S: SessionStore>(t: Run<S>) -> CheckResult {
    let record = Record { previous: Some(hash()), cookie: Some(RawJson::new(b"{ }")), ..signed_in() };
    let (id, record) = t.fresh(&record).await?;
    let after = t.applied(&id, &change(&record, &[(&NOTE, Some(b"1"))])).await?;
    let touched = t.touch(&id, &record).await?;
    equal(&touched, &Touched::Applied, "a touch answered")?;
    same(&t.record(&id).await?, &after, "after a touch")
}

async fn revision<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (claimed, other) = (0x5eed_0001, 0x5eed_0002);
    let (_, one) = t.fresh(&Record { revision: claimed, ..anonymous() }).await?;
    let (id, two) = t.fresh(&Record { revision: other, ..anonymous() }).await?;
    let taken = one.revision == claimed && two.revision == other;
    ensure(!taken, "a new session has the revision that was given to its insert")?;
    let again = t.record(&id).await?;
    equal(&again.revision, &two.revision, "the revision at the second load was")
}
