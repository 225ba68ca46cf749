//! express-session's own cases A to F, N to P and R: what is stored, and what happens to it later.

use std::convert::Infallible;
use std::time::Duration;

use http::{Response, StatusCode};
use http_session::SessionStore as _;
use http_session::clock::ManualClock;
use http_session::error::StoreErrorKind;
use http_session::record::{Fields, Keep, Lifetime};
use http_session::store::EnumerateSessions as _;
use http_session::{
    MemoryStore, Session, SessionConfig, config::express::Resave, config::express::SaveUninitialized,
    config::express::Unset,
};
use tower::{Layer as _, service_fn};

use super::{Hits, Request, cat, cookie, express, has_cookie, hit, idle, ok, store, value};
use crate::support::{Browser, Call, Fault, Faulty, Recording};

// 2
#[tokio::test]
async fn a_second_layer_does_not_begin_a_second_session() {
    let store = store();
    let layer = express(&store).build().layer();
    let inner = service_fn(|request: Request| async move {
        Session::<Hits>::extract(request.extensions()).await.unwrap().hits += 1;
        ok("")
    });
    let answer = Browser::default().get(&layer.layer(layer.layer(inner)), "/").await;
    assert_eq!(answer.set_cookies().len(), 1);
    assert_eq!(store.take_names(), ["insert"]);
}

// 5, 6, 100
#[tokio::test]
async fn a_new_client_gets_a_cookie_and_finds_its_value_again() {
    let store = store();
    let service = express(&store).build().service(hit);
    let mut browser = Browser::default();
    let answer = browser.get(&service, "/").await;
    assert!(cookie(&answer).starts_with("s%3A"));
    assert_eq!((answer.text.as_str(), store.inner.len().await.unwrap()), ("1", 1));
    assert_eq!(browser.get(&service, "/").await.text, "2");
    assert_eq!(store.inner.len().await.unwrap(), 1);
}

// 7. DIFFERENCE: a 503 without the driver's message (R18, R26), where express answers 500 with the message.
#[tokio::test]
async fn r18_a_failed_load_is_a_503_and_a_first_visit_needs_no_load() {
    let faulty = Faulty::new(MemoryStore::new());
    let service = SessionConfig::express().secret(cat()).store(faulty.clone()).build().service(hit);
    faulty.fail(Call::Load, Fault::Error(StoreErrorKind::Unavailable));
    let mut browser = Browser::default();
    assert_eq!(browser.get(&service, "/").await.status, StatusCode::OK);
    let answer = browser.get(&service, "/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.text.contains("hunter2") && !has_cookie(&answer));
    faulty.heal();
    // DIFFERENCE: an error page never destroys the session.
    assert_eq!(browser.get(&service, "/").await.text, "2");
}

// 9
#[tokio::test]
async fn two_clients_without_a_cookie_get_two_sessions() {
    let store = store();
    let service = express(&store).build().service(hit);
    for _ in 0..2 {
        assert_eq!(Browser::default().get(&service, "/").await.text, "1");
    }
    assert_eq!(store.inner.len().await.unwrap(), 2);
}

#[derive(Session)]
struct Reserved {
    save: String,
    id: u64,
    to_string: bool,
}

// 13. DIFFERENCE: such a session does not stay "modified" for ever, and the handler can read the values.
#[tokio::test]
async fn fields_may_have_the_names_of_methods() {
    let store = store();
    let service = express(&store).resave(Resave::WhenModified).build().service(
        |request: Request, mut session: Session<Reserved>| async move {
            if request.uri().path() == "/set" {
                (session.save, session.id, session.to_string) = ("nothing".to_owned(), 7, true);
            }
            ok(format_args!("{} {} {}", session.save, session.id, session.to_string))
        },
    );
    let mut browser = Browser::default();
    browser.get(&service, "/set").await;
    assert_eq!(browser.get(&service, "/").await.text, "nothing 7 true");
    assert_eq!(store.take_names(), ["insert", "load", "touch"]);
}

// 16, 21
#[tokio::test]
async fn a_rolling_cookie_and_its_record_are_extended_together() {
    let clock = ManualClock::new();
    let memory = MemoryStore::new().clock(clock.clone());
    let store = Recording::new(memory);
    let sessions = express(&store).clock(clock.clone()).rolling().build();
    let service = sessions.service(hit);
    let mut browser = Browser::default();
    for (pause, expires) in [(0, "00:01:00"), (30, "00:01:30"), (59, "00:02:29")] {
        clock.advance(Duration::from_secs(pause));
        let answer = browser.get(&service, "/").await;
        assert!(cookie(&answer).contains(&format!("Expires=Mon, 01 Jan 2024 {expires} GMT")), "{answer:?}");
        let id = store.take_calls().pop().unwrap().1;
        assert_eq!(store.inner.load(&id).await.unwrap().unwrap().expires_in, Duration::from_secs(60));
    }
}

// 17 to 20, 137
#[tokio::test]
async fn a_response_is_sent_whole_and_after_the_commit() {
    for body in ["", "hello, world"] {
        let recording = Recording { is_instant: false, ..Recording::new(Faulty::new(MemoryStore::new())) };
        let service = SessionConfig::express().secret(cat()).store(recording.clone()).build().service(
            move |_: Request, mut session: Session<Hits>| async move {
                session.hits += 1;
                let response = Response::builder().header("content-length", body.len());
                Ok::<_, Infallible>(response.body(body.to_owned()).unwrap())
            },
        );
        let answer = Browser::default().get(&service, "/").await;
        assert_eq!((answer.text.as_str(), recording.take_names().as_slice()), (body, ["insert"].as_slice()));
    }
}

// 22, 23
#[tokio::test]
async fn r3_the_id_of_a_session_that_is_gone_is_not_adopted() {
    let clock = ManualClock::new();
    let store = Recording::new(MemoryStore::new().clock(clock.clone()));
    let service = express(&store).clock(clock.clone()).build().service(hit);
    let mut browser = Browser::default();
    let first = browser.get(&service, "/").await;
    store.inner.clear().await.unwrap();
    store.take_names();
    let second = browser.get(&service, "/").await;
    assert_eq!((second.text.as_str(), store.take_names()), ("1", vec!["load", "insert"]));
    assert_ne!(value(&first), value(&second));
}

// 24, 25, 163, 164
#[tokio::test]
async fn r3_a_cookie_that_we_did_not_sign_begins_a_new_session_without_a_load() {
    let store = store();
    let service = express(&store).build().service(hit);
    let mut browser = Browser::default();
    let answer = browser.get(&service, "/").await;
    let signed = value(&answer).to_owned();
    let (id, signature) = signed.strip_prefix("s%3A").unwrap().split_once('.').unwrap();
    let forged = [
        id.to_owned(),
        format!("s%3A{id}"),
        format!("s%3A{id}."),
        format!("s%3A{}.{signature}", &id[1..]),
        format!("s%3Ax{id}.{signature}"),
        format!("s%3Ax.{id}.{signature}"),
        format!("s%3A{id}.{signature}x"),
        format!("s%3A{id}.{signature}.x"),
        format!("s%3A{id}.{signature}%3D"),
        signed.replace("s%3A", ""),
    ];
    store.take_names();
    for forged in forged {
        browser.set_cookie("connect.sid", forged.clone());
        let answer = browser.get_and_lose(&service, "/").await;
        assert_eq!(answer.text, "1", "{forged}");
        assert_ne!(value(&answer), signed);
        assert_eq!(store.take_names(), ["insert"], "{forged}");
    }
    browser.set_cookie("connect.sid", signed);
    assert_eq!(browser.get(&service, "/").await.text, "2");
}

// 26, 27, 28
#[tokio::test]
async fn r7_an_expired_session_is_gone() {
    let clock = ManualClock::new();
    let store = Recording::new(MemoryStore::new().clock(clock.clone()));
    let service = express(&store).max_age(Duration::from_millis(5)).clock(clock.clone()).build().service(hit);
    let mut browser = Browser::default();
    let first = browser.get(&service, "/").await;
    clock.advance(Duration::from_millis(15));
    assert_eq!(store.inner.len().await.unwrap(), 0);
    let second = browser.get(&service, "/").await;
    assert_eq!(second.text, "1");
    assert_ne!(value(&first), value(&second));
}

// 29. DIFFERENCE: a stored value that cannot be decoded reads as its default (R16), where express answers 500.
#[tokio::test]
async fn r16_a_value_that_cannot_be_decoded_does_not_break_the_page() {
    let store = store();
    let service = express(&store).build().service(hit);
    let mut browser = Browser::default();
    browser.get(&service, "/").await;
    let id = store.take_calls()[0].1.clone();
    let mut record = store.inner.load(&id).await.unwrap().unwrap();
    record.fields = Fields::from_iter([("hits", Keep::No, b"{broken".as_slice())]);
    let stored = MemoryStore::new();
    let lifetime = Lifetime::new(Duration::from_secs(60), Duration::MAX);
    let _ = stored.insert(&id, &record, lifetime).await.unwrap();
    let broken = SessionConfig::express().secret(cat()).store(stored).build().service(hit);
    let answer = browser.get(&broken, "/").await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "1"));
}

/// Sends two requests of one client. Returns for each whether it set a cookie, and its store calls.
async fn two_visits(
    resave: Resave,
    save_uninitialized: SaveUninitialized,
    rolling: bool,
    hits: [bool; 2],
) -> [(bool, Vec<&'static str>); 2] {
    let store = store();
    let mut builder = express(&store).resave(resave).save_uninitialized(save_uninitialized);
    if rolling {
        builder = builder.rolling();
    }
    let service = builder.build().service(|request: Request, mut session: Session<Hits>| async move {
        session.hits += u64::from(request.uri().path() == "/hit");
        ok("")
    });
    let mut browser = Browser::default();
    let mut visits = Vec::new();
    for hit in hits {
        let answer = browser.get(&service, if hit { "/hit" } else { "/" }).await;
        visits.push((has_cookie(&answer), store.take_names()));
    }
    visits.try_into().unwrap()
}

// 69 to 77, 80 to 83, 85, 101
#[tokio::test]
async fn resave_rolling_and_save_uninitialized_as_in_express() {
    use Resave::{Always as Resaved, WhenModified};
    use SaveUninitialized::{Always, Never};
    let touch = vec!["load", "touch"];
    let update = vec!["load", "update"];
    let insert = vec!["insert"];
    // 69, 74, 75: the same data is stored again, and no cookie is set.
    assert_eq!(
        two_visits(Resaved, Always, false, [true, false]).await,
        [(true, insert.clone()), (false, update.clone())]
    );
    // 70: a rolling cookie is set again.
    assert_eq!(
        two_visits(Resaved, Always, true, [true, false]).await,
        [(true, insert.clone()), (true, update.clone())]
    );
    // 71, 82, 85: an unmodified new session is neither stored nor touched, and gets no cookie.
    for rolling in [true, false] {
        assert_eq!(two_visits(WhenModified, Never, rolling, [false; 2]).await, [(false, vec![]), (false, vec![])]);
    }
    // 72, 80, 81: an empty new session is stored once.
    for rolling in [true, false] {
        assert_eq!(two_visits(Resaved, Always, rolling, [false; 2]).await[0], (true, insert.clone()));
    }
    // 73, 83: so is a modified session.
    for rolling in [true, false] {
        assert_eq!(two_visits(Resaved, Never, rolling, [true, false]).await[0], (true, insert.clone()));
    }
    // 76, 101: an unmodified session is only touched, and gets no cookie.
    assert_eq!(two_visits(WhenModified, Always, false, [true, false]).await[1], (false, touch));
    // 77, 101: a changed value is stored, and a cookie with an expiry is set again.
    assert_eq!(two_visits(WhenModified, Always, false, [true, true]).await[1], (true, update));
}

#[derive(Session)]
struct Nested {
    user: serde_json::Value,
}

// 78
#[tokio::test]
async fn a_nested_member_named_cookie_counts_as_a_change() {
    let store = store();
    let service = express(&store).resave(Resave::WhenModified).build().service(
        |request: Request, mut session: Session<Nested>| async move {
            session.user = serde_json::json!({"cookie": {"expires": request.uri().path()}});
            ok("")
        },
    );
    let mut browser = Browser::default();
    for path in ["/a", "/b", "/b"] {
        browser.get(&service, path).await;
    }
    assert_eq!(store.take_names(), ["insert", "load", "update", "load", "touch"]);
}

// 79, 84. DIFFERENCE: a write that fails gives a 503 before the headers are sent (R12), not an error after a 200. A
// touch that fails is only an event: the response acknowledged no change.
#[tokio::test]
async fn r12_a_failed_write_replaces_the_response_and_a_failed_touch_does_not() {
    let faulty = Faulty::new(MemoryStore::new());
    let sessions = SessionConfig::express().secret(cat()).store(faulty.clone()).resave(Resave::WhenModified).build();
    let mut browser = Browser::default();
    let error = Fault::Error(StoreErrorKind::Unavailable);
    faulty.fail(Call::Insert, error);
    let answer = browser.get(&sessions.service(hit), "/").await;
    assert_eq!((answer.status, has_cookie(&answer)), (StatusCode::SERVICE_UNAVAILABLE, false));
    faulty.heal();
    browser.get(&sessions.service(hit), "/").await;
    faulty.fail(Call::Touch, error);
    let answer = browser.get(&sessions.service(idle), "/").await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "1"));
}

// 93, 94, 95, 96, 138
#[tokio::test]
async fn unset_keeps_or_destroys_the_stored_session() {
    let unset = |_: Request, session: Session<Hits>| async move {
        session.unset();
        ok("gone")
    };
    for (policy, left) in [(Unset::Keep, 1), (Unset::Destroy, 0)] {
        let store = store();
        let sessions = express(&store).unset(policy).build();
        let mut browser = Browser::default();
        // 95: the first request stores nothing.
        assert!(!has_cookie(&browser.get(&sessions.service(unset), "/").await));
        assert!(store.take_names().is_empty());
        browser.get(&sessions.service(hit), "/").await;
        assert_eq!(browser.get(&sessions.service(unset), "/").await.text, "gone");
        assert_eq!(store.inner.len().await.unwrap(), left);
        // A kept session goes on. After a destroy the visitor is anonymous, and their requests are late for a minute,
        // as in cases 22 and 23.
        assert_eq!(browser.get(&sessions.service(hit), "/").await.text, (left + 1).to_string());
    }
    // 96. DIFFERENCE: a 503, not an error after a 200 (R11).
    let faulty = Faulty::new(MemoryStore::new());
    let sessions = SessionConfig::express().secret(cat()).store(faulty.clone()).unset(Unset::Destroy).build();
    let mut browser = Browser::default();
    browser.get(&sessions.service(hit), "/").await;
    faulty.fail(Call::Destroy, Fault::Error(StoreErrorKind::Unavailable));
    assert_eq!(browser.get(&sessions.service(unset), "/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    faulty.heal();
    assert_eq!(browser.get(&sessions.service(hit), "/").await.text, "2");
}
