//! Cases L, M, Q and Y: ids, names, secrets, and the exact bytes of the cookie.

use http_session::{Cookie, Secret, Session, config::express::ExpressSecret, config::express::IdShape, cookie_name};

use super::{Hits, Request, cat, express, has_cookie, hit, ok, store, value};
use crate::support::Browser;
use http_session::SessionConfig;

async fn wire(secret: ExpressSecret, id: &'static str) -> String {
    let builder = SessionConfig::express().secret(secret).store(store()).id_shape(IdShape::Any);
    let service = builder.generate_id(move |_| id.to_owned()).build().service(hit);
    let mut browser = Browser::default();
    let answer = browser.get(&service, "/").await;
    // The cookie that was sent is accepted again.
    assert_eq!(browser.get(&service, "/").await.text, "2", "{id}");
    value(&answer).to_owned()
}

// 62, 63, 161, 162, 165, and the vectors of real servers
#[tokio::test]
async fn the_cookie_is_byte_for_byte_as_node_signs_it() {
    let secret = |bytes: &[u8]| Secret::express(bytes).unwrap();
    let long = "Q2hyb21pdW0tc2Vzc2lvbi1pZC0wMDAx";
    let buffer = b"\xA0\xAB\xBC\x0C".as_slice();
    let vectors: [(&[u8], &str, &str); 11] = [
        (b"keyboard cat", "apple", "D8Y%2BpkTAmeR0PobOhY4G97PRW%2Bj7bUnP%2F5m6%2FOn1MCU"),
        (b"keyboard cat", "%", "kzQ6x52kKVdF35Qh62AWk4ZekS28K5XYCXKa%2FOTZ01g"),
        (b"keyboard cat", "/foo", "paEKBtAHbV5s1IB8B2zPnzAgYmmnRPIqObW4VRYj%2FMQ"),
        (b"keyboard cat", long, "n3q4XxyQ10FnR09gWfBZx3zgXeGRHc6JTEicZO%2F27oY"),
        ("ключ-é😀".as_bytes(), long, "HvQOc71rZlGECZpVXBNA62CibCI%2BZcV6UbjhCBwrg94"),
        (b"x", "a.b.c", "i5kFxXgNn4Oc7VTSzk02U8NSnLuziqtgR2pwIZM2pOU"),
        (b"keyboard cat", "é€😀", "vgBvd2SuTOuyUyEhHJr8VhlUuf%2BBOOskjyUcRokFX8o"),
        (buffer, "apple", "1q5ay5sc4coNbnnwC0xCOwyFKkgNLJYago0zc%2FkHKHA"),
        (&[7; 32], "0123456789abcdefghijABCDEFGHIJ-_", "IbJdK5lZldlpeeDaO0YepFQTiP7Qwp6exKkiUFgd6hs"),
        (b"tobiiscool", "hello", "DGDUkGlIkCzPz%2BC0B064FNgHdEjox7ch8tOBGslZ5QI"),
        (buffer, "hello", "hIvljrKw5oOZtHHSq5u%2BMlL27cgnPKX77y7F%2Bx5r1to"),
    ];
    for (bytes, id, signature) in vectors {
        let encoded = match id {
            "%" => "%25",
            "/foo" => "%2Ffoo",
            "é€😀" => "%C3%A9%E2%82%AC%F0%9F%98%80",
            plain => plain,
        };
        assert_eq!(wire(secret(bytes), id).await, format!("s%3A{encoded}.{signature}"));
    }
    assert_ne!(wire(secret(b"tobiiscool"), "hello").await, wire(secret(b"luna"), "hello").await);
}

// 61
#[tokio::test]
async fn a_generated_id_has_32_characters() {
    let answer = Browser::default().get(&express(&store()).build().service(hit), "/").await;
    let id = value(&answer).strip_prefix("s%3A").unwrap().split_once('.').unwrap().0;
    assert_eq!(id.len(), 32);
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
}

// 64
#[tokio::test]
async fn the_generator_sees_the_request() {
    let builder = express(&store()).id_shape(IdShape::Any).generate_id(|parts| parts.uri.path().to_owned());
    let answer = Browser::default().get(&builder.build().service(hit), "/foo").await;
    assert_eq!(value(&answer), "s%3A%2Ffoo.paEKBtAHbV5s1IB8B2zPnzAgYmmnRPIqObW4VRYj%2FMQ");
}

// 15. DIFFERENCE: a generated id of the wrong shape is a server error, reported before the headers are sent; express
// drops the session.
#[tokio::test]
async fn an_id_of_the_wrong_shape_is_a_500_and_stores_nothing() {
    let store = store();
    let service = express(&store).generate_id(|_| "two words".to_owned()).build().service(hit);
    let answer = Browser::default().get(&service, "/").await;
    assert_eq!((answer.status.as_u16(), has_cookie(&answer)), (500, false));
    assert!(store.take_names().is_empty());
}

// 65 to 68
#[tokio::test]
async fn the_cookie_has_the_configured_name() {
    let plain = Cookie::plain(cookie_name!("session_id")).insecure().without_same_site();
    for (builder, name) in [(express(&store()), "connect.sid="), (express(&store()).cookie(plain), "session_id=")] {
        let answer = Browser::default().get(&builder.build().service(hit), "/").await;
        assert!(answer.set_cookies()[0].starts_with(name));
    }
}

// 87, 88
#[tokio::test]
async fn secrets_are_text_or_bytes() {
    for secret in [cat(), Secret::express([0x5A; 32]).unwrap()] {
        assert!(wire(secret, "apple").await.starts_with("s%3Aapple."));
    }
}

// 89, 90, 91
#[tokio::test]
async fn r25_the_first_secret_signs_and_every_secret_verifies() {
    let store = store();
    let build = |secrets: &[&str]| {
        let mut builder = SessionConfig::express().store(store.clone()).secret(Secret::express(secrets[0]).unwrap());
        for previous in &secrets[1..] {
            builder = builder.previous_secret(Secret::express(previous).unwrap());
        }
        builder.build().service(hit)
    };
    let mut browser = Browser::default();
    assert!(has_cookie(&browser.get(&build(&["one", "two"]), "/").await));
    assert_eq!(browser.get_and_lose(&build(&["one"]), "/").await.text, "2");
    assert_eq!(browser.get_and_lose(&build(&["two"]), "/").await.text, "1");
    // DIFFERENCE: a cookie that was signed with a previous secret is signed again on use.
    let answer = browser.get(&build(&["three", "two", "one"]), "/").await;
    assert_eq!((answer.text.as_str(), has_cookie(&answer)), ("3", true));
    assert_eq!(browser.get(&build(&["three"]), "/").await.text, "4");
}

// DIFFERENCE: express generates an id for every request that has none.
#[tokio::test]
async fn an_id_is_generated_only_when_it_is_needed() {
    let drawn = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&drawn);
    let builder = express(&store()).save_uninitialized(http_session::config::express::SaveUninitialized::Never);
    let builder = builder
        .resave(http_session::config::express::Resave::WhenModified)
        .generate_id(move |_| format!("N{}", count.fetch_add(1, std::sync::atomic::Ordering::Relaxed)));
    let service = builder.build().service(|_: Request, session: Session<Hits>| async move { ok(session.hits) });
    Browser::default().get(&service, "/").await;
    assert_eq!(drawn.load(std::sync::atomic::Ordering::Relaxed), 0);
}
