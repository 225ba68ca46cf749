//! `tests/data/cookies.golden`: cookies, the configurations that sent them, and the records that they belong to.
//!
//! A request with the cookie shows that it can be read. The cookie rolls, so the response shows that it is written as
//! before.

use std::time::Duration;

use http::Method;
use http_session::clock::ManualClock;
use http_session::record::{Epoch, Lifetime, Record};
use http_session::store::{Entry, EnumerateSessions as _, Inserted};
use http_session::{
    Cookie, CookieName, MemoryStore, Secret, Session, SessionConfig, SessionId, SessionStore as _,
    config::express::IdShape,
};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _};

use super::{Golden, hex, text, unhex};
use crate::support::{Answer, Browser, Oops, Request, minutes};

#[derive(Session)]
struct Golds {
    #[session(identity)]
    user: Option<String>,
    views: u64,
}

/// Returns the configuration of each case, without its cookie and record.
fn cases() -> Vec<Value> {
    let secret = "0123456789abcdef0123456789abcdeF";
    let native = |case: &str, kind: &str, name: &str, scope: &str, fingerprint: &str, sign_ins: u64| {
        json!({
            "case": case, "kind": kind, "secret": hex(secret.as_bytes()), "name": name, "scope": scope,
            "fingerprint": fingerprint, "sign_ins": sign_ins,
        })
    };
    let express = |case: &str, secret: &[u8], id: &str| json!({ "case": case, "kind": "express", "secret": hex(secret), "id": id, "sign_ins": 0 });
    vec![
        native("native", "host", "sid", "", "", 0),
        native("native, another name", "secure", "my.shop", "", "", 0),
        native("native, plain name", "plain", "sid", "", "", 0),
        native("native, a scope", "host", "sid", "back office", "", 0),
        native("native, a fingerprint", "host", "sid", "", "agent/1.0", 0),
        native("native, a later epoch", "host", "sid", "shop", "agent/1.0", 3),
        express("express", b"keyboard cat", "Q2hyb21pdW0tc2Vzc2lvbi1pZC0wMDAx"),
        express("express, a secret in UTF-8", "ключ-é😀".as_bytes(), "Q2hyb21pdW0tc2Vzc2lvbi1pZC0wMDAx"),
        express("express, an id of its own", b"x", "a.b.c"),
        express("express, an id in UTF-8", b"keyboard cat", "é€😀"),
    ]
}

/// Builds the configuration of a line, with rolling cookies.
fn sessions(line: &Value, store: &MemoryStore, clock: &ManualClock) -> SessionConfig<MemoryStore> {
    let secret = unhex(text(line, "secret"));
    if text(line, "kind") == "express" {
        let id = text(line, "id").to_owned();
        let builder = SessionConfig::express().secret(Secret::express(secret).unwrap()).store(store.clone());
        let builder = builder.id_shape(IdShape::Any).generate_id(move |_| id.clone());
        return builder.clock(clock.clone()).rolling().build();
    }
    let (secret, fingerprint) = (Secret::try_from(secret).unwrap(), text(line, "fingerprint").to_owned());
    let builder = SessionConfig::builder().secret(secret).store(store.clone()).clock(clock.clone());
    let builder = builder.scope(text(line, "scope")).max_age(minutes(60)).rolling();
    let builder = builder.fingerprint(move |_| fingerprint.clone().into_bytes());
    let name = CookieName::try_from(text(line, "name")).unwrap();
    match text(line, "kind") {
        "host" => builder.cookie(Cookie::host(name)).build(),
        "secure" => builder.cookie(Cookie::secure(name)).build(),
        "plain" => builder.cookie(Cookie::plain(name)).build(),
        kind => panic!("no kind `{kind}`"),
    }
}

async fn send(sessions: &SessionConfig<MemoryStore>, browser: &Browser, sign_in: bool) -> Answer {
    let handler = move |request: Request| async move {
        let mut session = Session::<Golds>::extract(request.extensions()).await.unwrap();
        if sign_in {
            session.sign_in("ada".to_owned());
        }
        session.views += 1;
        Ok::<_, Oops>(http::Response::new(format!("{:?} {}", session.user, session.views)))
    };
    let service = sessions.layer().layer(tower::service_fn(handler));
    Answer::read(service.oneshot(browser.request(Method::GET, "/")).await.unwrap()).await
}

/// Completes a line with the cookie and the record of a new session.
async fn made(mut line: Value) -> Value {
    let clock = ManualClock::new();
    let store = MemoryStore::new().clock(clock.clone());
    let sessions = sessions(&line, &store, &clock);
    let mut browser = Browser::default();
    browser.keep(&send(&sessions, &browser, false).await);
    for _ in 0..line["sign_ins"].as_u64().unwrap() {
        browser.keep(&send(&sessions, &browser, true).await);
    }
    let id = store.ids(None, 1).await.unwrap().ids.remove(0);
    let record = store.load(&id).await.unwrap().unwrap();
    let name = browser.cookie_names().next().unwrap();
    let value = browser.cookie(name).unwrap();
    line["id"] = id.as_str().into();
    line["cookie"] = format!("{name}={value}").into();
    line["entry"] = hex(&Entry::new(&record, lifetime(), Duration::ZERO).to_bytes()).into();
    line
}

fn lifetime() -> Lifetime {
    Lifetime::new(minutes(60), minutes(600))
}

/// Returns the record of a line.
fn record(line: &Value) -> Record {
    Entry::from_bytes(&unhex(text(line, "entry"))).unwrap().record(Duration::ZERO)
}

/// Sends the cookie of a line to a configuration whose store has the line's record. Returns the answer and the browser.
async fn present(line: &Value, configuration: &Value) -> (Answer, Browser) {
    let clock = ManualClock::new();
    let store = MemoryStore::new().clock(clock.clone());
    let id = SessionId::try_from(text(line, "id")).unwrap();
    assert_eq!(store.insert(&id, &record(line), lifetime()).await.unwrap(), Inserted::Inserted);
    let (name, value) = text(line, "cookie").split_once('=').unwrap();
    let mut browser = Browser::default();
    browser.set_cookie(name, value);
    let answer = send(&sessions(configuration, &store, &clock), &browser, false).await;
    (answer, browser)
}

#[tokio::test]
async fn r1_r2_cookies_of_every_version_are_read_and_written() {
    let mut golden = Golden::open("cookies.golden");
    for case in cases() {
        if !golden.has(text(&case, "case")) {
            golden.add(made(case).await);
        }
    }
    for (case, line) in &golden.lines {
        let (answer, mut browser) = present(line, line).await;
        let sign_ins = line["sign_ins"].as_u64().unwrap();
        assert_eq!(record(line).epoch, Epoch(sign_ins), "{case}");
        let user = (sign_ins > 0).then_some("ada");
        let views = if sign_ins > 0 { sign_ins + 1 } else { 2 };
        assert_eq!(answer.text, format!("{user:?} {views}"), "{case}");
        let value = |browser: &Browser| browser.cookie(browser.cookie_names().next().unwrap()).map(str::to_owned);
        let before = value(&browser);
        browser.keep(&answer);
        assert_eq!(answer.set_cookies().len(), 1, "{case}: the cookie rolls");
        assert_eq!(value(&browser), before, "{case}");
    }
}

/// Shows that the test above would notice a wrong cookie.
#[tokio::test]
async fn r2_the_cookie_of_another_configuration_is_refused() {
    let case = cases().into_iter().find(|case| text(case, "case") == "native, a later epoch").unwrap();
    let line = made(case).await;
    let other = |key: &str, value: &str| {
        let mut other = line.clone();
        other[key] = value.into();
        other
    };
    let others = [
        other("scope", "back office"),
        other("fingerprint", ""),
        other("secret", &hex(b"another secret, and as long as it")),
    ];
    for other in others {
        assert_eq!(present(&line, &other).await.0.text, "None 1");
    }
}
