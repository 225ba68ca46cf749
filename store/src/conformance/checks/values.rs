//! What is stored comes back, byte for byte.

use crate::answer::Inserted;
use crate::conformance::check::{Check, check};
use crate::conformance::records::{CART, LONG, NOTE, THEME, anonymous, change, hash, noise, signed_in, with_fields};
use crate::conformance::result::{CheckResult, equal, same};
use crate::conformance::run::Run;
use crate::id::SessionId;
use crate::record::{Epoch, Keep, RawJson, Record, VerifierHash};
use crate::session_store::SessionStore;

pub(super) fn checks<S: SessionStore>() -> Vec<Check<S>> {
    vec![
        check("R1", "the 32 bytes of a verifier hash come back", hashes),
        check("R4", "the epochs of a new session are those of the insert", epochs),
        check("R16", "values come back byte for byte, whether they are JSON or not", odd_values),
        check("R16", "an update stores values byte for byte", odd_values_by_update),
        check("R16", "field names of any text come back, each with its own value and mark", odd_names),
        check("R16", "records of any bytes come back", random_records),
        check("R16", "a record of 64 KiB, the default limit, comes back", large_records),
        check("R5", "the keep mark of a field comes back, even after an update", marks),
        check("R21", "a session's cookie attributes come back as they were stored", cookie_attributes),
        check("R2", "ids that differ in a letter, in case or in length are different sessions", similar_ids),
        check("R2", "an id may be any text of 1 to 1024 bytes", odd_ids),
    ]
}

/// Bytes that storages like to change.
const ODD: [&[u8]; 16] = [
    br#"{ "b": 1, "a": 2 }"#,
    br#"{"a":1,"a":2}"#,
    b"1.0",
    b"-0",
    b"1e400",
    b"12345678901234567890123",
    br#""\u0041\/""#,
    "\"\u{1F36A} \u{0}e\u{301}\"".as_bytes(),
    b"null",
    b" \t\r\n",
    b"trailing \n",
    b"",
    b"not json",
    b"\0",
    b"\xff\xfe\x80",
    b"'\"\\;--$1%s",
];

async fn hashes<S: SessionStore>(t: Run<S>) -> CheckResult {
    let mut last = [0; 32];
    last[31] = 1;
    let mut first = [0; 32];
    first[0] = 1;
    let every: [u8; 32] = std::array::from_fn(|place| (place * 8) as u8);
    for bytes in [last, first, every, [0xff; 32], [b' '; 32], [0x80; 32]] {
        let record = Record { previous: Some(VerifierHash(bytes)), verifier: VerifierHash(bytes), ..anonymous() };
        let (_, found) = t.fresh(&record).await?;
        same(&found, &record, "after the insert")?;
    }
    let record = anonymous();
    let (_, found) = t.fresh(&record).await?;
    equal(&found.previous.is_none(), &true, "that a record without a previous verifier has none was")
}

async fn epochs<S: SessionStore>(t: Run<S>) -> CheckResult {
    for (epoch, identity_epoch) in [(0, 0), (7, 3), (1 << 40, 1 << 33)] {
        let record = Record { epoch: Epoch(epoch), identity_epoch: Epoch(identity_epoch), ..signed_in() };
        let (_, found) = t.fresh(&record).await?;
        same(&found, &record, "after the insert")?;
    }
    Ok(())
}

async fn odd_values<S: SessionStore>(t: Run<S>) -> CheckResult {
    for value in ODD {
        let record = with_fields(&anonymous(), [("value", Keep::No, value), ("other", Keep::Always, b"1".as_slice())]);
        let identity = (!value.is_empty()).then(|| RawJson::new(value));
        let record = Record { identity, ..record };
        let (_, found) = t.fresh(&record).await?;
        same(&found, &record, &format!("after the insert of {:?}", String::from_utf8_lossy(value)))?;
    }
    Ok(())
}

async fn odd_values_by_update<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, mut record) = t.fresh(&anonymous()).await?;
    for value in ODD {
        let patch = change(&record, &[(&NOTE, Some(value)), (&THEME, Some(b"1"))]);
        let found = t.applied(&id, &patch).await?;
        equal(
            &found.fields.find(NOTE.name),
            &Some(value),
            &format!("after an update to the bytes of {:?} the value was", String::from_utf8_lossy(value)),
        )?;
        record = found;
    }
    Ok(())
}

async fn odd_names<S: SessionStore>(t: Run<S>) -> CheckResult {
    let long = "n".repeat(300);
    let names = [
        "",
        " ",
        "a",
        "A",
        "a.b",
        "$set",
        "__proto__",
        "constructor",
        "näme",
        "na\u{308}me",
        "\u{1F36A}",
        "\0",
        "%s",
        "'\"\\",
        "a\nb",
        "cookie",
        "epoch",
        "identity",
        "expires",
        "session:1",
        "*",
        &long,
    ];
    let values: Vec<String> = (0..names.len()).map(|number| number.to_string()).collect();
    let marks = [Keep::No, Keep::SignIn, Keep::Always];
    let fields = names.iter().zip(&values).zip(marks.into_iter().cycle());
    let record = with_fields(&anonymous(), fields.map(|((name, value), mark)| (*name, mark, value.as_bytes())));
    let (id, found) = t.fresh(&record).await?;
    same(&found, &record, "after the insert")?;
    let patch = change(&found, &[(&NOTE, Some(b"1"))]);
    let after = t.applied(&id, &patch).await?;
    let expected = Record { fields: patch.result, ..record };
    same(&after, &expected, "after an update of another field")
}

async fn random_records<S: SessionStore>(t: Run<S>) -> CheckResult {
    for number in 0..20 {
        let names: Vec<String> = (0..number % 7).map(|name| format!("field {name}")).collect();
        let values: Vec<Vec<u8>> = names.iter().map(|_| noise(200)).collect();
        let marks = [Keep::Always, Keep::No, Keep::SignIn];
        let fields = names.iter().zip(&values).zip(marks.into_iter().cycle());
        let record =
            with_fields(&anonymous(), fields.map(|((name, value), mark)| (name.as_str(), mark, value.as_slice())));
        let raw = || Some(RawJson::new(&noise(40))).filter(|raw| !raw.as_bytes().is_empty());
        let record = Record { identity: raw(), cookie: raw(), previous: raw().map(|_| hash()), ..record };
        let (_, found) = t.fresh(&record).await?;
        same(&found, &record, "after the insert")?;
    }
    Ok(())
}

async fn large_records<S: SessionStore>(t: Run<S>) -> CheckResult {
    const LARGE: usize = 60 << 10;
    let one = vec![0xee; LARGE];
    let record = with_fields(&anonymous(), [("large", Keep::No, one.as_slice())]);
    let (_, found) = t.fresh(&record).await?;
    same(&found, &record, "after the insert of one large field")?;

    let names: Vec<String> = (0..100).map(|number| format!("field {number}")).collect();
    let record =
        with_fields(&anonymous(), names.iter().map(|name| (name.as_str(), Keep::SignIn, [b'1'; 600].as_slice())));
    let (id, found) = t.fresh(&record).await?;
    same(&found, &record, "after the insert of many fields")?;
    let patch = change(&found, &[(&NOTE, Some(&[0xdd; 4096]))]);
    let found = t.applied(&id, &patch).await?;
    same(&found, &Record { fields: patch.result, ..record }, "after an update of a large record")
}

async fn marks<S: SessionStore>(t: Run<S>) -> CheckResult {
    let (id, record) = t.fresh(&anonymous()).await?;
    same(&record, &Record { verifier: record.verifier, ..anonymous() }, "after the insert")?;
    let patch = change(&record, &[(&NOTE, Some(b"2")), (&CART, Some(b"2")), (&THEME, Some(b"2"))]);
    let after = t.applied(&id, &patch).await?;
    same(&after, &Record { fields: patch.result, ..record }, "after an update")
}

async fn cookie_attributes<S: SessionStore>(t: Run<S>) -> CheckResult {
    let attributes = RawJson::new(br#"{ "originalMaxAge":3600000, "path":"/", "httpOnly":true }"#);
    let record = Record { cookie: Some(attributes), ..signed_in() };
    let (id, found) = t.fresh(&record).await?;
    same(&found, &record, "after the insert")?;
    let after = t.applied(&id, &change(&found, &[(&NOTE, Some(b"1"))])).await?;
    equal(&(after.cookie == record.cookie), &true, "that an update of a field left the cookie attributes alone was")?;

    let mut patch = change(&after, &[]);
    patch.cookie = Some(Some(RawJson::new(br#"{"path": "/shop"}"#)));
    let after = t.applied(&id, &patch).await?;
    equal(&(Some(&after.cookie) == patch.cookie.as_ref()), &true, "that an update replaced the cookie attributes was")?;
    let mut patch = change(&after, &[]);
    patch.cookie = Some(None);
    let after = t.applied(&id, &patch).await?;
    equal(&after.cookie.is_none(), &true, "that an update removed the cookie attributes was")
}

async fn each_its_own<S: SessionStore>(t: &Run<S>, ids: Vec<String>) -> CheckResult {
    let ids: Vec<SessionId> =
        ids.iter().filter_map(|id| SessionId::try_from(id.as_str()).ok()).map(|id| t.note(id)).collect();
    let records: Vec<Record> = ids.iter().map(|_| anonymous()).collect();
    for (id, record) in ids.iter().zip(&records) {
        let inserted = t.store().insert(id, record, LONG).await?;
        let what = format!("the insert under an id like {:?} answered", shown(id));
        equal(&inserted, &Inserted::Inserted, &what)?;
    }
    for (id, record) in ids.iter().zip(&records) {
        same(&t.record(id).await?, record, &format!("under an id like {:?}", shown(id)))?;
    }
    Ok(())
}

/// An id of the suite's own making, short enough for a line.
fn shown(id: &SessionId) -> String {
    id.as_str().chars().take(40).collect()
}

async fn similar_ids<S: SessionStore>(t: Run<S>) -> CheckResult {
    let random = t.id();
    let stem = &random.as_str()[..18];
    let ids = ["AAAA", "AAAa", "aaaa", "AAA-", "AAA_", "AAAB", "BAAA"].map(|tail| format!("{stem}{tail}"));
    each_its_own(&t, ids.into()).await
}

async fn odd_ids<S: SessionStore>(t: Run<S>) -> CheckResult {
    let random = t.id();
    let stem = random.as_str();
    let tails = [
        "",
        "a",
        " ",
        "/",
        "/..",
        ":",
        "::1",
        "*",
        "?",
        "[a]",
        "{a}",
        "%",
        "%2f",
        "'",
        "\"",
        "\\",
        ";",
        "\0",
        "\n",
        "é",
        "e\u{301}",
        "\u{1F36A}",
        ".",
        "$",
        "#",
        "~",
        "\u{7f}",
        "\u{1}",
    ];
    let mut ids: Vec<String> = tails.iter().map(|tail| format!("{stem}{tail}")).collect();
    ids.push(format!("{stem}{}", "x".repeat(1024 - stem.len())));
    ids.push(format!("{stem}{}", "x".repeat(1023 - stem.len())));
    each_its_own(&t, ids).await
}
