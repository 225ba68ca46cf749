//! Cases T: the session's methods.

use std::sync::Arc;

use http::StatusCode;
use http_session::SessionStore as _;
use http_session::error::SaveError;
use http_session::store::EnumerateSessions as _;
use http_session::{Session, config::express::Resave, config::express::SaveUninitialized};
use tokio::sync::Barrier;

use super::{Hits, Request, express, has_cookie, hit, idle, ok, store, value};
use crate::support::Browser;

// 105
#[tokio::test]
async fn destroy_ends_the_session_without_a_cookie() {
    let store = store();
    let sessions = express(&store).build();
    let leave = sessions.service(|_: Request, session: Session<Hits>| async move {
        session.destroy().await.unwrap();
        ok("")
    });
    let mut browser = Browser::default();
    assert!(!has_cookie(&browser.get(&leave, "/").await));
    browser.get(&sessions.service(hit), "/").await;
    assert!(!has_cookie(&browser.get(&leave, "/").await));
    assert_eq!(store.inner.len().await.unwrap(), 0);
    assert_eq!(store.take_names(), ["insert", "load", "destroy"]);
}

// 106
#[tokio::test]
async fn regenerate_gives_another_id_at_once_and_an_empty_session() {
    let store = store();
    let sessions = express(&store).build();
    let regenerate = sessions.service(|_: Request, mut session: Session<Hits>| async move {
        let before = session.id().unwrap();
        session.regenerate();
        let after = session.id().unwrap();
        assert!(before != after && session.hits == 0);
        assert!(session.id().unwrap() == after);
        ok(after.as_str())
    });
    let mut browser = Browser::default();
    let first = browser.get(&sessions.service(hit), "/").await;
    let second = browser.get(&regenerate, "/").await;
    assert_ne!(value(&first), value(&second));
    assert!(value(&second).starts_with(&format!("s%3A{}.", second.text)));
    assert_eq!(store.take_names(), ["insert", "load", "insert", "destroy"]);
    assert_eq!(browser.get(&sessions.service(idle), "/").await.text, "0");
    // The same holds for a session that was never stored.
    let fresh = Browser::default().get(&regenerate, "/").await;
    assert!(value(&fresh).starts_with(&format!("s%3A{}.", fresh.text)));
}

// 107
#[tokio::test]
async fn reload_sees_what_another_request_wrote() {
    let store = store();
    let sessions = express(&store).resave(Resave::WhenModified).build();
    let mut browser = Browser::default();
    browser.get(&sessions.service(hit), "/").await;
    let barrier = Arc::new(Barrier::new(2));
    let waits = {
        let barrier = Arc::clone(&barrier);
        sessions.service(move |_: Request, mut session: Session<Hits>| {
            let barrier = Arc::clone(&barrier);
            async move {
                assert_eq!(session.hits, 1);
                barrier.wait().await;
                barrier.wait().await;
                session.hits = 100;
                session.reload().await.unwrap();
                ok(session.hits)
            }
        })
    };
    let slow = {
        let browser = browser.clone();
        tokio::spawn(async move { browser.get_and_lose(&waits, "/").await.text })
    };
    barrier.wait().await;
    browser.get(&sessions.service(hit), "/").await;
    barrier.wait().await;
    assert_eq!(slow.await.unwrap(), "2");
    assert_eq!(browser.get(&sessions.service(idle), "/").await.text, "2");
}

// 108, 109
#[tokio::test]
async fn reload_of_a_session_that_is_gone_fails_and_keeps_the_changes() {
    let store = store();
    let sessions = express(&store).build();
    let mut browser = Browser::default();
    browser.get(&sessions.service(hit), "/").await;
    let others = store.clone();
    let service = sessions.service(move |_: Request, mut session: Session<Hits>| {
        let others = others.clone();
        async move {
            others.inner.clear().await.unwrap();
            session.hits += 1;
            for _ in 0..20 {
                assert!(matches!(session.reload().await, Err(SaveError::Missing)));
            }
            ok(session.hits)
        }
    });
    let answer = browser.get(&service, "/").await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "2"));
    // DIFFERENCE: the destroyed session is not stored again.
    assert_eq!(store.inner.len().await.unwrap(), 0);
    // A new session has nothing to reload either, and keeps its changes.
    let fresh = Browser::default().get(&service, "/").await;
    assert_eq!(fresh.text, "1");
}

// 110, 111, 112, 113
#[tokio::test]
async fn save_stores_at_once_and_replaces_the_write_at_the_end() {
    for save_uninitialized in [SaveUninitialized::Always, SaveUninitialized::Never] {
        let store = store();
        let sessions = express(&store).save_uninitialized(save_uninitialized).build();
        let inside = store.clone();
        let service = sessions.service(move |request: Request, mut session: Session<Hits>| {
            let inside = inside.clone();
            async move {
                if request.uri().path() == "/reload" {
                    session.reload().await.unwrap();
                }
                session.hits += 1;
                session.save().await.unwrap();
                let record = inside.inner.load(&session.id().unwrap()).await.unwrap().unwrap();
                assert_eq!(record.fields.find("hits"), Some(session.hits.to_string().as_bytes()));
                ok(session.hits)
            }
        });
        let mut browser = Browser::default();
        assert!(has_cookie(&browser.get(&service, "/").await));
        assert_eq!(store.take_names(), ["insert"]);
        assert_eq!(browser.get(&service, "/").await.text, "2");
        assert_eq!(store.take_names(), ["load", "update"]);
        assert_eq!(browser.get(&service, "/reload").await.text, "3");
        assert_eq!(store.take_names(), ["load", "load", "update"]);
    }
}

// DIFFERENCE: the end of the request tries a failed save again.
#[tokio::test]
async fn a_failed_save_does_not_count_as_done() {
    use crate::support::{Call, Fault, Faulty};
    let faulty = Faulty::new(http_session::MemoryStore::new());
    let sessions = http_session::SessionConfig::express().secret(super::cat()).store(faulty.clone()).build();
    let breaks = faulty.clone();
    let service = sessions.service(move |_: Request, mut session: Session<Hits>| {
        let breaks = breaks.clone();
        async move {
            session.hits += 1;
            breaks.fail(Call::Insert, Fault::Error(http_session::error::StoreErrorKind::Unavailable));
            assert!(matches!(session.save().await, Err(SaveError::Store(_))));
            breaks.heal();
            ok(session.hits)
        }
    });
    let mut browser = Browser::default();
    assert!(has_cookie(&browser.get(&service, "/").await));
    assert_eq!(browser.get(&sessions.service(idle), "/").await.text, "1");
}

// 114
#[tokio::test]
async fn touch_extends_the_session_in_the_store() {
    use http_session::clock::ManualClock;
    use std::time::Duration;
    let clock = ManualClock::new();
    let store = crate::support::Recording::new(http_session::MemoryStore::new().clock(clock.clone()));
    let sessions = express(&store).resave(Resave::WhenModified).touch_throttle(100).clock(clock.clone()).build();
    let mut browser = Browser::default();
    browser.get(&sessions.service(hit), "/").await;
    let id = store.take_calls()[0].1.clone();
    clock.advance(Duration::from_secs(10));
    let touch = sessions.service(|_: Request, mut session: Session<Hits>| async move {
        session.touch();
        ok("")
    });
    browser.get(&touch, "/").await;
    let record = store.inner.load(&id).await.unwrap().unwrap();
    assert_eq!(record.expires_in, Duration::from_secs(60));
}
