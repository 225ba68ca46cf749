//! What the derive's code does with a record, attribute by attribute.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::*;
use crate::Session;
use http_session_store::record::Keep;

/// Records what a view reports.
#[derive(Debug, Default, PartialEq)]
struct Recorded {
    changed: Vec<(&'static str, String)>,
    filled: Vec<(&'static str, String)>,
    identity: Option<Option<String>>,
    unencodable: Vec<&'static str>,
    /// The identity must come before the fields (R5).
    identity_was_late: bool,
}

fn text(raw: &[u8]) -> String {
    String::from_utf8(raw.to_vec()).unwrap()
}

impl ChangeSink for Recorded {
    fn field(&mut self, field: &'static Field, value: &[u8]) {
        self.changed.push((field.name, text(value)));
    }

    fn fill(&mut self, field: &'static Field, value: &[u8]) {
        self.filled.push((field.name, text(value)));
    }

    fn identity(&mut self, value: Option<&[u8]>) {
        self.identity_was_late = !self.changed.is_empty();
        self.identity = Some(value.map(text));
    }

    fn unencodable(&mut self, field: &'static str) {
        self.unencodable.push(field);
    }
}

/// A record's fields.
fn fields(stored: &[(&str, &str)]) -> Fields {
    stored.iter().map(|(name, value)| (*name, Keep::No, value.as_bytes())).collect()
}

fn read<T: SessionData>(stored: &[(&str, &str)]) -> Result<T, Unreadable> {
    T::decode(&mut FieldReader::new(&fields(stored), None))
}

/// The changes of a value since the fields were as given.
fn changes<T: SessionData>(value: &T, stored: &[(&str, &str)], identity: Option<&str>) -> Recorded {
    let mut recorded = Recorded::default();
    let identity = identity.map(|raw| RawJson::new(raw.as_bytes()));
    value.encode(&mut FieldWriter {
        base: FieldCursor::new(&fields(stored)),
        base_identity: identity.as_ref(),
        scratch: Vec::new(),
        changed: &mut recorded,
    });
    recorded
}

/// Reads a value, edits it, and returns the changes.
fn edit<T: SessionData>(stored: &[(&str, &str)], edit: impl FnOnce(&mut T)) -> Recorded {
    let mut value = read(stored).unwrap();
    edit(&mut value);
    changes(&value, stored, None)
}

fn field<T: SessionData>(name: &str) -> &'static Field {
    T::FIELDS.iter().find(|field| field.name == name).unwrap()
}

/// Merges with the field's rule. An empty text stands for an absent field.
fn merged<T: SessionData>(name: &str, [base, theirs, ours]: [&str; 3]) -> Result<String, MergeConflict> {
    let merge = field::<T>(name).merge.unwrap();
    merge(base.as_bytes(), theirs.as_bytes(), ours.as_bytes()).map(|raw| text(&raw))
}

#[derive(Session)]
struct Plain {
    views: u64,
    score: f64,
    notice: Option<String>,
    seen: HashMap<String, u8>,
    r#type: String,
}

#[test]
fn an_empty_record_gives_defaults_and_no_changes() {
    assert_eq!(edit::<Plain>(&[], |_| {}), Recorded::default());
    let names: Vec<_> = Plain::FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(names, ["views", "score", "notice", "seen", "type"]);
    const { assert!(!Plain::HAS_IDENTITY) };
}

#[test]
fn only_what_changed_is_reported() {
    let stored = [("views", "3"), ("notice", "\"saved\""), ("type", "\"a\"")];
    let recorded = edit::<Plain>(&stored, |plain| {
        plain.views += 1;
        plain.notice.take();
        plain.r#type.push('b');
    });
    let expected = [("views", "4".into()), ("notice", "null".into()), ("type", "\"ab\"".into())];
    assert_eq!(recorded.changed, expected);
    assert!(recorded.filled.is_empty());
}

#[test]
fn an_equal_value_is_no_change() {
    let entries: Vec<String> = (0..20).map(|n| format!("\"k{n}\": {n}")).collect();
    let map = format!("{{ {} }}", entries.join(", "));
    let stored = [("score", "1"), ("seen", map.as_str()), ("views", " 3 ")];
    let recorded = edit::<Plain>(&stored, |plain| {
        plain.score = 1.0;
        plain.seen = plain.seen.drain().collect();
        plain.views = 3;
    });
    assert_eq!(recorded, Recorded::default());
}

#[test]
fn r16_an_undecodable_field_takes_its_default_and_its_bytes_stay() {
    let stored = [("views", "\"many\""), ("type", "\"a\"")];
    assert_eq!(read::<Plain>(&stored).unwrap().views, 0);
    assert_eq!(edit::<Plain>(&stored, |_| {}), Recorded::default());
    assert_eq!(edit::<Plain>(&stored, |plain| plain.views = 1).changed, [("views", "1".into())]);
}

#[derive(Session)]
#[session(rename_all = "camelCase", crate = crate)]
struct Named {
    page_views: u64,
    #[session(rename = "n", alias = "newest", alias = "older", alias = "oldest")]
    number: u64,
    #[session(skip, default = 5)]
    hits: u8,
    #[session(keep)]
    always: u8,
    #[session(keep = "sign_in")]
    cart_size: u8,
}

#[test]
fn names_and_marks_are_those_of_the_attributes() {
    let names: Vec<_> = Named::FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(names, ["pageViews", "n", "always", "cartSize"]);
    let marks: Vec<_> = Named::FIELDS.iter().map(|field| field.keep).collect();
    assert_eq!(marks, [Keep::No, Keep::No, Keep::Always, Keep::SignIn]);
    assert_eq!(field::<Named>("n").aliases, ["newest", "older", "oldest"]);
    assert!(Named::FIELDS.iter().all(|field| !field.required && field.merge.is_none()));
}

#[test]
fn r15_the_name_comes_before_its_aliases_and_they_in_order() {
    let number = |stored: &[(&str, &str)]| read::<Named>(stored).unwrap().number;
    assert_eq!(number(&[("oldest", "1"), ("older", "2"), ("newest", "3"), ("n", "4")]), 4);
    assert_eq!(number(&[("oldest", "1"), ("older", "2"), ("newest", "3")]), 3);
    assert_eq!(number(&[("oldest", "1"), ("older", "2")]), 2);
    assert_eq!(number(&[("n", "null"), ("older", "2")]), 0, "the name wins even when it does not decode");
    assert_eq!(edit::<Named>(&[("older", "2")], |_| {}), Recorded::default(), "a mere read does not migrate");
    assert_eq!(edit::<Named>(&[("older", "2")], |named| named.number = 7).changed, [("n", "7".into())]);
}

#[test]
fn a_skipped_field_begins_with_its_default_and_is_never_a_change() {
    let stored = [("hits", "9")];
    assert_eq!(read::<Named>(&stored).unwrap().hits, 5);
    assert_eq!(edit::<Named>(&stored, |named| named.hits = 8), Recorded::default());
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Theme {
    Light,
    Dark,
}

fn dark() -> Theme {
    Theme::Dark
}

#[derive(Session)]
struct Defaults {
    #[session(default)]
    nothing: u8,
    #[session(default = 7)]
    number: u8,
    #[session(default = Theme::Light)]
    value: Theme,
    #[session(default = dark())]
    call: Theme,
    #[session(default = "dark")]
    named: Theme,
    #[session(default = { let (a, b) = (1, 2); [a, b] })]
    block: [u8; 2],
}

#[test]
fn a_default_stands_in_for_what_is_absent_and_is_not_stored() {
    let defaults: Defaults = read(&[]).unwrap();
    assert_eq!((defaults.nothing, defaults.number, defaults.block), (0, 7, [1, 2]));
    assert_eq!((&defaults.value, &defaults.call, &defaults.named), (&Theme::Light, &Theme::Dark, &Theme::Dark));
    assert_eq!(changes(&defaults, &[], None), Recorded::default());
    assert_eq!(edit::<Defaults>(&[], |defaults| defaults.number = 0).changed, [("number", "0".into())]);
    let back = edit::<Defaults>(&[("number", "0")], |defaults| defaults.number = 7);
    assert_eq!(back.changed, [("number", "7".into())]);
}

#[derive(Session)]
struct Demanding {
    #[session(required)]
    tenant: u32,
    #[session(required, default = Theme::Light)]
    theme: Theme,
    views: u32,
}

#[test]
fn r16_without_a_readable_required_field_there_is_no_session() {
    assert!(read::<Demanding>(&[("tenant", "\"x\"")]).is_err());
    assert!(read::<Demanding>(&[("theme", "\"Blue\"")]).is_err());
    assert_eq!(read::<Demanding>(&[("views", "\"x\"")]).unwrap().views, 0);
    assert_eq!(read::<Demanding>(&[]).unwrap().theme, Theme::Light);
}

#[test]
fn r16_a_required_field_is_stored_even_as_its_default() {
    let recorded = edit::<Demanding>(&[], |_| {});
    assert_eq!(recorded.filled, [("tenant", "0".into()), ("theme", "\"Light\"".into())]);
    assert!(recorded.changed.is_empty());
    let stored = [("tenant", "0"), ("theme", "\"Light\"")];
    assert_eq!(edit::<Demanding>(&stored, |_| {}), Recorded::default());
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

#[derive(Session)]
struct Foreign {
    #[session(with = "seconds", merge = "add")]
    idle: Duration,
    #[session(with = seconds, default = Duration::from_secs(9))]
    away: Duration,
    #[session(identity, with = seconds)]
    born: Option<Duration>,
}

#[test]
fn a_module_reads_and_writes() {
    let stored = [("idle", "5")];
    assert_eq!(read::<Foreign>(&stored).unwrap().idle, Duration::from_secs(5));
    let recorded = edit::<Foreign>(&stored, |foreign| {
        foreign.idle += Duration::from_secs(1);
        foreign.away = Duration::ZERO;
        foreign.born = Some(Duration::from_secs(3));
    });
    assert_eq!(recorded.changed, [("idle", "6".into()), ("away", "0".into())]);
    assert_eq!(recorded.identity, Some(Some("3".into())));
    assert_eq!(read::<Foreign>(&[("idle", "5 5")]).unwrap().idle, Duration::ZERO, "trailing bytes do not decode");
    assert_eq!(merged::<Foreign>("idle", ["5", "6", "7"]).unwrap(), "8");
}

#[derive(Session)]
struct Account {
    views: u8,
    #[session(identity)]
    user: Option<String>,
}

fn sign_in(identity: Option<&str>) -> Result<Account, Unreadable> {
    let identity = identity.map(|raw| RawJson::new(raw.as_bytes()));
    <Account as SessionData>::decode(&mut FieldReader::new(&Fields::EMPTY, identity.as_ref()))
}

#[test]
fn r5_the_identity_is_read_from_its_own_place() {
    const { assert!(Account::HAS_IDENTITY) };
    assert_eq!(Account::FIELDS.len(), 1);
    assert_eq!(read::<Account>(&[("user", "\"eve\"")]).unwrap().user, None);
    assert_eq!(sign_in(Some("\"ada\"")).unwrap().user.as_deref(), Some("ada"));
    assert!(sign_in(Some("7")).is_err(), "R16: no session when the identity does not decode");
}

#[test]
fn r5_a_change_of_identity_is_reported_before_the_fields() {
    let account = |user: Option<&str>| Account { views: 1, user: user.map(str::to_owned) };
    let identity = |user, base| {
        let recorded = changes(&account(user), &[], base);
        assert!(!recorded.identity_was_late);
        assert_eq!(recorded.changed, [("views", "1".into())]);
        recorded.identity
    };
    assert_eq!(identity(None, None), None);
    assert_eq!(identity(Some("ada"), None), Some(Some("\"ada\"".into())));
    assert_eq!(identity(Some("ada"), Some("\"ada\"")), None);
    assert_eq!(identity(Some("ada"), Some("\"\\u0061da\"")), None, "other bytes, equal value");
    assert_eq!(identity(Some("eve"), Some("\"ada\"")), Some(Some("\"eve\"".into())));
    assert_eq!(identity(None, Some("\"ada\"")), Some(None));
}

#[test]
fn the_identity_alone_can_be_watched() {
    let mut account = Account { views: 1, user: None };
    *account.identity_mut() = Some("ada".into());
    let mut recorded = Recorded::default();
    account.encode_identity(&mut FieldWriter {
        base: FieldCursor::new(&Fields::EMPTY),
        base_identity: None,
        scratch: Vec::new(),
        changed: &mut recorded,
    });
    assert_eq!(recorded, Recorded { identity: Some(Some("\"ada\"".into())), ..Recorded::default() });
}

fn longest(base: String, theirs: String, ours: String) -> String {
    [base, theirs, ours].into_iter().max_by_key(String::len).unwrap_or_default()
}

#[derive(Session)]
struct Merging {
    #[session(merge = "add")]
    views: u64,
    #[session(merge = "max")]
    high: i32,
    #[session(merge = "min", default = 100)]
    low: i32,
    #[session(merge = "append")]
    cart: Vec<u8>,
    #[session(merge = "union")]
    tags: BTreeSet<u8>,
    #[session(merge = "keys")]
    settings: BTreeMap<String, u8>,
    #[session(merge = "reject", default = 7)]
    state: u8,
    #[session(merge = "replace")]
    last: u8,
    #[session(merge = "longest")]
    note: String,
    #[session(merge = longest)]
    comment: String,
}

#[test]
fn each_rule_merges_as_its_name_says() {
    let merge = |name, values| merged::<Merging>(name, values).unwrap();
    assert_eq!(merge("views", ["1", "5", "2"]), "6");
    assert_eq!(merge("high", ["1", "5", "2"]), "5");
    assert_eq!(merge("low", ["9", "5", "2"]), "2");
    assert_eq!(merge("cart", ["[1]", "[1,2]", "[1,3]"]), "[1,2,3]");
    assert_eq!(merge("tags", ["[1]", "[1,2]", "[3]"]), "[2,3]");
    assert_eq!(merge("settings", ["{}", r#"{"a":1}"#, r#"{"b":2}"#]), r#"{"a":1,"b":2}"#);
    assert_eq!(merge("note", ["\"\"", "\"abc\"", "\"ab\""]), "\"abc\"");
    assert_eq!(merge("comment", ["\"\"", "\"abc\"", "\"ab\""]), "\"abc\"");
    assert!(field::<Merging>("last").merge.is_none());
}

#[test]
fn an_absent_field_merges_as_its_default() {
    assert_eq!(merged::<Merging>("views", ["", "5", "2"]).unwrap(), "7");
    assert_eq!(merged::<Merging>("low", ["", "", "200"]).unwrap(), "100");
    assert_eq!(
        merged::<Merging>("views", ["1", "\"x\"", "2"]).unwrap(),
        "2",
        "a value that does not decode is replaced"
    );
}

#[test]
fn reject_refuses_a_different_value_but_not_another_spelling_of_the_same_value() {
    assert_eq!(merged::<Merging>("state", ["1", " 1", "2"]).unwrap(), "2");
    assert_eq!(merged::<Merging>("state", ["", "7", "2"]).unwrap(), "2", "absent is the default");
    assert!(merged::<Merging>("state", ["1", "3", "2"]).is_err());
    assert!(merged::<Merging>("state", ["1", "2", "2"]).is_err(), "refused, although both wrote the same value");
    assert!(merged::<Merging>("state", ["1", "\"x\"", "2"]).is_err());
}

#[derive(Session)]
struct Generic<V: Copy, const N: usize> {
    #[session(merge = "append")]
    list: Vec<V>,
    #[session(merge = "max")]
    high: V,
    #[session(default = [0; N], with = "array")]
    array: [u8; N],
    #[session(skip)]
    cache: Option<V>,
    marker: PhantomData<V>,
}

mod array {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(super) fn serialize<S: Serializer, const N: usize>(bytes: &[u8; N], to: S) -> Result<S::Ok, S::Error> {
        bytes.as_slice().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<[u8; N], D::Error> {
        let bytes = Vec::<u8>::deserialize(from)?;
        bytes.try_into().map_err(|_| de::Error::custom("another length"))
    }
}

#[test]
fn a_generic_struct_is_a_session_for_each_type_parameter() {
    let stored = [("list", "[1,2]"), ("array", "[9,9]")];
    let recorded = edit::<Generic<i8, 2>>(&stored, |generic| {
        generic.list.push(3);
        generic.array = [8, 9];
        generic.cache = Some(1);
    });
    assert_eq!(recorded.changed, [("list", "[1,2,3]".into()), ("array", "[8,9]".into())]);
    assert_eq!(read::<Generic<u8, 3>>(&stored).unwrap().array, [0; 3]);
    assert_eq!(merged::<Generic<u8, 0>>("list", ["[1]", "[1,2]", "[1,3]"]).unwrap(), "[1,2,3]");
    assert_eq!(merged::<Generic<u8, 0>>("high", ["1", "2", "3"]).unwrap(), "3");
}

#[derive(Session)]
struct Nothing {}

#[test]
fn a_struct_without_fields_reads_and_writes_nothing() {
    assert!(Nothing::FIELDS.is_empty());
    assert_eq!(edit::<Nothing>(&[("other", "1")], |_| {}), Recorded::default());
}

/// Fails to serialize when it is odd.
#[derive(Default, PartialEq, Deserialize)]
struct Even(u8);

impl Serialize for Even {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(2) { serializer.serialize_u8(self.0) } else { Err(serde::ser::Error::custom("odd")) }
    }
}

#[derive(Session)]
struct Picky {
    even: Even,
    views: u8,
}

#[test]
fn a_value_that_cannot_be_written_is_reported_and_the_others_are_written() {
    let recorded = edit::<Picky>(&[("even", "2")], |picky| {
        picky.even = Even(3);
        picky.views = 1;
    });
    assert_eq!(recorded.unencodable, ["even"]);
    assert_eq!(recorded.changed, [("views", "1".into())]);
}
