//! Faults found while the decisions were replayed: a sign-out that is followed by another call, and the id of a session
//! that is not stored yet.

use std::convert::Infallible;

use http::{Response, StatusCode};
use http_session::clock::ManualClock;
use http_session::{MemoryStore, Session, SessionConfig, config::CommitOn, config::express::Unset};

use super::{Request, cat, ok};
use crate::support::{Browser, Recording, secret};

#[derive(Session)]
struct Account {
    #[session(identity)]
    user: Option<u64>,
    #[session(keep)]
    theme: String,
    cart: u64,
}

async fn show(_: Request, session: Session<Account>) -> Result<Response<String>, Infallible> {
    ok(format_args!("{:?} {} {}", session.user, session.theme, session.cart))
}

async fn sign_in(_: Request, mut session: Session<Account>) -> Result<Response<String>, Infallible> {
    session.sign_in(7);
    session.theme = "dark".to_owned();
    session.cart = 3;
    ok("")
}

/// Signs out without awaiting it, and then does what the path says.
async fn sign_out_and(request: Request, mut session: Session<Account>) -> Result<Response<String>, Infallible> {
    drop(session.sign_out());
    session.cart = 9;
    match request.uri().path() {
        "/regenerate" => session.regenerate(),
        "/unset" => session.unset(),
        _ => {}
    }
    let status = if request.uri().query() == Some("fails") { 500 } else { 200 };
    Ok(Response::builder().status(status).body(String::new()).unwrap())
}

#[tokio::test]
async fn r11_a_sign_out_is_not_lost_whatever_is_called_after_it() {
    for (path, left) in [
        ("/?fails", "None dark 0"),
        ("/regenerate", "None  0"),
        ("/regenerate?fails", "None dark 0"),
        ("/unset", "None dark 0"),
        ("/unset?fails", "None dark 0"),
    ] {
        let native = SessionConfig::builder().secret(secret()).store(MemoryStore::new()).unset(Unset::Keep).build();
        let express = SessionConfig::express().secret(cat()).store(MemoryStore::new());
        let express = express.commit_on(CommitOn::Success).build();
        for sessions in [native, express] {
            let mut browser = Browser::default();
            browser.get(&sessions.service(sign_in), "/").await;
            let stolen = browser.clone();
            assert_eq!(browser.get(&sessions.service(show), "/").await.text, "Some(7) dark 3", "{path}");
            browser.get(&sessions.service(sign_out_and), path).await;
            assert_eq!(browser.get(&sessions.service(show), "/").await.text, left, "{path}");
            let old = stolen.get_and_lose(&sessions.service(show), "/").await;
            assert_eq!(old.text, "None  0", "{path}");
        }
    }
}

#[tokio::test]
async fn r3_a_late_request_neither_sees_nor_uses_the_id_of_the_superseded_session() {
    let clock = ManualClock::new();
    let store = Recording::new(MemoryStore::new().clock(clock.clone()));
    let sessions = SessionConfig::builder().secret(secret()).store(store.clone()).clock(clock).build();
    let mut browser = Browser::default();
    browser.get(&sessions.service(sign_in), "/").await;
    let late = browser.clone();
    browser.get(&sessions.service(sign_in), "/").await;
    let id = store.take_calls()[0].1.clone();
    let known = id.clone();
    let again = sessions.service(move |_: Request, mut session: Session<Account>| {
        let known = known.clone();
        async move {
            assert!(session.id().unwrap() != known);
            session.sign_in(8);
            ok("")
        }
    });
    assert_eq!(late.get_and_lose(&again, "/").await.status, StatusCode::OK);
    let calls = store.take_calls();
    assert_eq!(calls.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["load", "insert"]);
    assert!(calls[1].1 != id);
}
