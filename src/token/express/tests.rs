use proptest::prelude::*;

use crate::token::SignedBy;

use super::*;

const CAT: &str = "keyboard cat";
const DEFAULT_ID: &str = "Q2hyb21pdW0tc2Vzc2lvbi1pZC0wMDAx";

fn keys(secret: impl AsRef<[u8]>, previous: &[&str], shape: IdShape) -> ExpressKeys {
    let previous: Vec<Secret> = previous.iter().map(|secret| Secret::express(secret).unwrap().into_inner()).collect();
    ExpressKeys::new(&Secret::express(secret).unwrap().into_inner(), &previous, shape)
}

fn ids(keys: &ExpressKeys, values: &[&str]) -> Vec<String> {
    let verified = keys.verify_all(values.iter().map(|value| value.as_bytes()));
    verified.iter().map(|found| found.value.as_str().to_owned()).collect()
}

#[test]
fn vectors_of_express_session() {
    let vectors: &[(&[u8], &str, &str)] = &[
        (CAT.as_bytes(), "apple", "s%3Aapple.D8Y%2BpkTAmeR0PobOhY4G97PRW%2Bj7bUnP%2F5m6%2FOn1MCU"),
        (CAT.as_bytes(), "%", "s%3A%25.kzQ6x52kKVdF35Qh62AWk4ZekS28K5XYCXKa%2FOTZ01g"),
        (CAT.as_bytes(), "/foo", "s%3A%2Ffoo.paEKBtAHbV5s1IB8B2zPnzAgYmmnRPIqObW4VRYj%2FMQ"),
        (
            CAT.as_bytes(),
            DEFAULT_ID,
            "s%3AQ2hyb21pdW0tc2Vzc2lvbi1pZC0wMDAx.n3q4XxyQ10FnR09gWfBZx3zgXeGRHc6JTEicZO%2F27oY",
        ),
        (
            "ключ-é😀".as_bytes(),
            DEFAULT_ID,
            "s%3AQ2hyb21pdW0tc2Vzc2lvbi1pZC0wMDAx.HvQOc71rZlGECZpVXBNA62CibCI%2BZcV6UbjhCBwrg94",
        ),
        (b"x", "a.b.c", "s%3Aa.b.c.i5kFxXgNn4Oc7VTSzk02U8NSnLuziqtgR2pwIZM2pOU"),
        (CAT.as_bytes(), "é€😀", "s%3A%C3%A9%E2%82%AC%F0%9F%98%80.vgBvd2SuTOuyUyEhHJr8VhlUuf%2BBOOskjyUcRokFX8o"),
        (&[0xa0, 0xab, 0xbc, 0x0c], "apple", "s%3Aapple.1q5ay5sc4coNbnnwC0xCOwyFKkgNLJYago0zc%2FkHKHA"),
        (
            &[7; 32],
            "0123456789abcdefghijABCDEFGHIJ-_",
            "s%3A0123456789abcdefghijABCDEFGHIJ-_.IbJdK5lZldlpeeDaO0YepFQTiP7Qwp6exKkiUFgd6hs",
        ),
    ];
    for (secret, id, wire) in vectors {
        let keys = keys(secret, &[], IdShape::Any);
        assert_eq!(keys.sign(&SessionId::try_from(*id).unwrap()), *wire);
        assert_eq!(ids(&keys, &[wire]), [*id]);
    }
}

#[test]
fn vectors_of_cookie_signature() {
    let sign = |secret: &[u8]| String::from_utf8(signature(&keyed(secret), b"hello").to_vec()).unwrap();
    assert_eq!(sign(b"tobiiscool"), "DGDUkGlIkCzPz+C0B064FNgHdEjox7ch8tOBGslZ5QI");
    assert_eq!(sign(&[0xa0, 0xab, 0xbc, 0x0c]), "hIvljrKw5oOZtHHSq5u+MlL27cgnPKX77y7F+x5r1to");
}

#[test]
fn the_value_may_come_without_percent_encoding() {
    let keys = keys(CAT, &[], IdShape::Strict);
    assert_eq!(ids(&keys, &["s:apple.D8Y+pkTAmeR0PobOhY4G97PRW+j7bUnP/5m6/On1MCU"]), ["apple"]);
    assert_eq!(ids(&keys, &["s:apple.D8Y%2bpkTAmeR0PobOhY4G97PRW%2bj7bUnP/5m6/On1MCU"]), ["apple"]);
}

#[test]
fn malformed_percent_encoding_stays_raw() {
    assert_eq!(decode_component("a%2Fb"), "a/b");
    for raw in ["%", "a%2", "%zz", "%41%", "%ff", "%c3%28", "%%41", "a+b"] {
        assert_eq!(decode_component(raw), raw);
    }
    let keys = keys(CAT, &[], IdShape::Any);
    assert_eq!(ids(&keys, &["s:%.kzQ6x52kKVdF35Qh62AWk4ZekS28K5XYCXKa/OTZ01g"]), ["%"]);
}

#[test]
fn r3_only_the_exact_signature_verifies() {
    let keys = keys(CAT, &[], IdShape::Any);
    let good = "s:apple.D8Y+pkTAmeR0PobOhY4G97PRW+j7bUnP/5m6/On1MCU";
    assert_eq!(ids(&keys, &[good]).len(), 1);
    let long = format!("{good}=");
    for bad in [
        // padded; base64url; other unused bits in the last character; no prefix; a wrong prefix; another id; cut off
        long.as_str(),
        "s:apple.D8Y-pkTAmeR0PobOhY4G97PRW-j7bUnP_5m6_On1MCU",
        "s:apple.D8Y+pkTAmeR0PobOhY4G97PRW+j7bUnP/5m6/On1MCV",
        &good[2..],
        "j:apple.D8Y+pkTAmeR0PobOhY4G97PRW+j7bUnP/5m6/On1MCU",
        "s:appl.D8Y+pkTAmeR0PobOhY4G97PRW+j7bUnP/5m6/On1MCU",
        "s:apple.",
        "s:apple",
        "s:",
        "s:.",
        "",
    ] {
        assert!(ids(&keys, &[bad]).is_empty(), "{bad}");
    }
}

#[test]
fn r2_the_shape_of_an_id_is_checked_after_the_signature() {
    let sign = |id: &str| {
        let signature = signature(&keyed(CAT.as_bytes()), id.as_bytes());
        format!("s:{id}.{}", std::str::from_utf8(&signature).unwrap())
    };
    let (strict, any) = (keys(CAT, &[], IdShape::Strict), keys(CAT, &[], IdShape::Any));
    let taken = |id: &str| {
        let value = utf8_percent_encode(&sign(id), COMPONENT).to_string();
        (ids(&strict, &[&value]).len(), ids(&any, &[&value]).len())
    };
    assert_eq!(taken(DEFAULT_ID), (1, 1));
    assert_eq!(taken(&"a".repeat(128)), (1, 1));
    assert_eq!(taken(&"a".repeat(129)), (0, 1));
    assert_eq!(taken(&"a".repeat(1024)), (0, 1));
    assert_eq!(taken(&"a".repeat(1025)), (0, 0));
    assert_eq!(taken("sess:*"), (0, 1));
    assert_eq!(taken("a.b"), (0, 1));
    assert_eq!(taken("é"), (0, 1));
    // express-session ignores a cookie with an empty id.
    assert_eq!(taken(""), (0, 0));
}

#[test]
fn r25_the_first_secret_signs_and_all_verify() {
    let old = keys("old", &[], IdShape::Strict).sign(&SessionId::try_from("apple").unwrap());
    let both = keys("new", &["older", "old"], IdShape::Strict);
    let verified = both.verify_all([old.as_bytes()].into_iter());
    assert_eq!((verified.len(), verified[0].signed_by), (1, SignedBy::Previous));
    let new = both.sign(&verified[0].value);
    let verified = both.verify_all([new.as_bytes(), old.as_bytes(), new.as_bytes()].into_iter());
    let found: Vec<_> = verified.iter().map(|found| (found.candidate, found.signed_by)).collect();
    assert_eq!(found, [(0, SignedBy::Current), (1, SignedBy::Previous)]);
    assert!(ids(&keys("new", &[], IdShape::Strict), &[&old]).is_empty());
}

#[test]
fn r3_a_stale_first_cookie_locks_nobody_out() {
    let keys = keys(CAT, &[], IdShape::Strict);
    let good = keys.sign(&SessionId::try_from("apple").unwrap());
    assert_eq!(ids(&keys, &["s%3Astale.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &good]), ["apple"]);
    // A value that does not have the form of a signed one costs no MAC.
    assert_eq!(ids(&keys, &["s:a.", "s:b.", "s:c.", "s:d.", "s:e.", "s:f.", "s:g.", "s:h.", &good]), ["apple"]);
}

proptest! {
    #[test]
    fn what_is_signed_verifies(id in ".{1,40}", secret in "[ -~]{1,80}") {
        let keys = keys(secret, &[], IdShape::Any);
        let id = SessionId::try_from(id.as_str()).unwrap();
        let wire = keys.sign(&id);
        prop_assert!(wire.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)));
        prop_assert_eq!(ids(&keys, &[&wire]), [id.as_str()]);
    }

    #[test]
    fn r3_any_bytes_are_judged(
        values in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                "s(:|%3A)[a-z%.]{0,6}\\.[A-Za-z0-9+/%]{40,46}".prop_map(String::into_bytes),
            ],
            0..10,
        ),
    ) {
        prop_assert!(keys(CAT, &["x"], IdShape::Any).verify_all(values.iter().map(Vec::as_slice)).is_empty());
    }
}
