//! `tests/data/records.golden`: the bytes of store entries, and the records that they decode to.

use std::time::Duration;

use http_session::error::InvalidEntry;
use http_session::record::{
    Epoch, Fields, IdentityChange, Keep, Lifetime, Patch, RawJson, Record, VerifierChange, VerifierHash,
};
use http_session::store::{Destroyed, Entry, Touched, Updated};
use serde_json::{Value, json};

use super::{Golden, hex, text, unhex};
use crate::support::{minutes, seconds};

/// Returns the time this long after 2024-01-01 00:00:00 UTC.
fn at(since: Duration) -> Duration {
    seconds(1_704_067_200) + since
}

fn hash(byte: u8) -> VerifierHash {
    VerifierHash([byte; 32])
}

fn lifetime() -> Lifetime {
    Lifetime::new(minutes(24 * 60), minutes(30 * 24 * 60))
}

fn fields(fields: &[(&str, Keep, &str)]) -> Fields {
    fields.iter().map(|(name, keep, value)| (*name, *keep, value.as_bytes())).collect()
}

fn record() -> Record {
    let fields = fields(&[
        ("views", Keep::No, "3"),
        ("cart", Keep::SignIn, r#"["apple","pear"]"#),
        ("theme", Keep::Always, r#""dark""#),
    ]);
    Record::new(hash(7)).with_fields(fields)
}

fn inserted(record: &Record) -> Entry {
    Entry::new(record, lifetime(), at(Duration::ZERO))
}

fn sign_in(record: &Record) -> Patch {
    let mut patch = Patch::unchanged(record);
    patch.identity = IdentityChange::Set(RawJson::new(br#"{"id":42,"name":"Ada"}"#));
    patch.verifier = VerifierChange::Rotate(hash(8));
    patch.cookie = Some(Some(RawJson::new(br#"{"maxAge":1209600000,"sameSite":"strict"}"#)));
    patch
}

/// Returns an entry with all optional parts, each set at a different time.
fn full() -> Entry {
    let mut entry = inserted(&record());
    let updated = entry.update(&sign_in(&record()), lifetime(), at(minutes(1)));
    assert_eq!(updated, Updated::Applied { renewed: true });
    let mut renewal = Patch::unchanged(&entry.record(at(minutes(2))));
    renewal.verifier = VerifierChange::Renew { current: hash(8), new: hash(9) };
    let updated = entry.update(&renewal, lifetime().unchanged(), at(minutes(2)));
    assert_eq!(updated, Updated::Applied { renewed: true });
    let touched = entry.touch(Epoch(1), lifetime(), at(Duration::new(180, 123_456_789)));
    assert_eq!(touched, Touched::Applied);
    entry
}

fn tombstone() -> Entry {
    let mut entry = full();
    assert_eq!(entry.destroy(Some(Epoch(1)), at(minutes(4))), Destroyed::Destroyed);
    entry
}

/// The cases that this version writes.
fn written() -> Vec<(&'static str, Entry)> {
    let of = |fields| inserted(&Record::new(hash(7)).with_fields(fields));
    let names =
        [("", "0"), ("имя", "1"), ("名前", "2"), ("a\"b\\c", "3"), ("e\u{301}", "4"), ("é", "5"), ("\0\n", "6")];
    let names: Vec<_> = names.into_iter().map(|(name, value)| (name, Keep::No, value)).collect();
    let broken = [("cut", b"{\"a\":[1".as_slice()), ("bytes", b"\xff\xfe\0"), ("empty", b""), ("spaced", b" { } ")];
    let broken = broken.into_iter().map(|(name, value)| (name, Keep::Always, value)).collect();
    let endless = Lifetime::new(Duration::MAX, Duration::MAX);
    let mut last = Record::new(hash(255));
    (last.epoch, last.identity_epoch) = (Epoch(u64::MAX), Epoch(u64::MAX - 1));
    let empty_texts = record().with_identity(RawJson::new(b"")).with_cookie(RawJson::new(b""));
    vec![
        ("a record without anything", inserted(&Record::new(hash(7)))),
        ("every mark", inserted(&record())),
        ("an identity", inserted(&record().with_identity(RawJson::new(b"42")))),
        ("cookie attributes", inserted(&record().with_cookie(RawJson::new(br#"{"path":"/"}"#)))),
        ("a previous verifier, an identity, attributes, moments", full()),
        ("a tombstone", tombstone()),
        ("unicode names", of(fields(&names))),
        ("values that are no JSON", of(broken)),
        ("a value of 300 bytes", of(fields(&[("long", Keep::No, &"x".repeat(300))]))),
        ("texts without a byte", inserted(&empty_texts)),
        ("without an end", Entry::new(&record(), endless, at(Duration::ZERO))),
        ("the last epochs", inserted(&last)),
    ]
}

/// The cases that this version reads but would write differently.
fn readable() -> Vec<(&'static str, Vec<u8>)> {
    let block = |name: &str, mark: u8, value: &str| {
        let mut bytes = fields(&[(name, Keep::No, value)]).as_bytes().to_vec();
        bytes[0] = mark;
        bytes
    };
    let with = |fields: &[Vec<u8>]| {
        let fields = fields.concat();
        let mut bytes = inserted(&Record::new(hash(7))).to_bytes();
        bytes.truncate(bytes.len() - 8); // The length of no fields.
        [bytes, (fields.len() as u64).to_le_bytes().to_vec(), fields].concat()
    };
    vec![
        ("duplicates", with(&[block("views", 0, "1"), block("theme", 2, "2"), block("views", 1, "3")])),
        ("a mark that is not known", with(&[block("views", 9, "1"), block("theme", 2, "2")])),
    ]
}

fn shown(record: &Record) -> Value {
    let hash = |hash: VerifierHash| hex(&hash.0);
    let raw = |raw: &[u8]| raw.escape_ascii().to_string();
    let text = |text: &Option<RawJson>| text.as_ref().map(|text| raw(text.as_bytes()));
    let time = |time: Duration| format!("{time:?}");
    let fields = record.fields.iter().map(|field| json!([field.name, format!("{:?}", field.keep), raw(field.value)]));
    let ages = [record.ages.created, record.ages.identity, record.ages.verifier, record.ages.touched];
    json!({
        "epoch": record.epoch.0,
        "identity_epoch": record.identity_epoch.0,
        "verifier": hash(record.verifier),
        "previous": record.previous.map(hash),
        "identity": text(&record.identity),
        "cookie": text(&record.cookie),
        "fields": fields.collect::<Vec<_>>(),
        "ages": ages.map(time),
        "expires_in": time(record.expires_in),
    })
}

/// Decodes an entry an hour after the time at which all entries were inserted.
fn decoded(bytes: &[u8]) -> Result<Value, InvalidEntry> {
    Ok(shown(&Entry::from_bytes(bytes)?.record(at(minutes(60)))))
}

#[test]
fn r17_records_of_every_version_are_read_and_current_records_are_written_unchanged() {
    let mut golden = Golden::open("records.golden");
    let bytes = written().into_iter().map(|(case, entry)| (case, entry.to_bytes()));
    for (case, bytes) in bytes.chain(readable()) {
        if !golden.has(case) {
            golden.add(json!({ "case": case, "entry": hex(&bytes), "record": decoded(&bytes).unwrap() }));
        }
    }
    for (case, line) in &golden.lines {
        let bytes = unhex(text(line, "entry"));
        assert_eq!(decoded(&bytes).as_ref(), Ok(&line["record"]), "{case}");
        // Written again by this version, it is still the same record.
        let again = Entry::from_bytes(&bytes).unwrap().to_bytes();
        assert_eq!(decoded(&again).as_ref(), Ok(&line["record"]), "{case}");
    }
    for (case, entry) in written() {
        assert_eq!(hex(&entry.to_bytes()), text(&golden.lines[case], "entry"), "{case}");
    }
}
