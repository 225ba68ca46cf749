//! A store of three methods.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use http_session::clock::ManualClock;
use http_session::error::{SessionRejection, StoreError, StoreErrorKind};
use http_session::store::conformance::Suite;
use http_session::store::{Basic, BasicStore, Destroyed, Inserted, SessionStore};
use http_session::{Secret, Session, SessionConfig, SessionId};

use crate::support::{Answer, Oops, Request};

/// Keeps bytes in a map; what is over stays there.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<HashMap<SessionId, Vec<u8>>>>);

impl BasicStore for Shelf {
    async fn get(&self, id: &SessionId) -> Result<Option<Vec<u8>>, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.0.lock().unwrap().get(id).cloned())
    }

    async fn set(&self, id: &SessionId, bytes: Vec<u8>, time_to_live: Duration) -> Result<(), StoreError> {
        assert!(time_to_live > Duration::ZERO, "what is over is not kept");
        tokio::task::yield_now().await;
        self.0.lock().unwrap().insert(id.clone(), bytes);
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<(), StoreError> {
        self.0.lock().unwrap().remove(id);
        Ok(())
    }
}

#[tokio::test]
async fn a_basic_store_keeps_what_does_not_need_conditions() {
    let (shelf, clock) = (Shelf::default(), ManualClock::new());
    let suite = Suite::new(Basic::new(shelf.clone()).clock(clock.clone()));
    let suite = suite.peer(Basic::new(shelf).clock(clock.clone())).clock(move |by| clock.advance(by));
    suite.run().await.assert();
}

#[derive(Session)]
struct Visit {
    views: u64,
}

#[derive(Session)]
struct Account {
    #[session(identity)]
    user: Option<u64>,
}

#[derive(Session)]
struct Cart {
    #[session(merge = "append")]
    items: Vec<String>,
}

async fn open<T: http_session::session::SessionData>(request: Request) -> Result<(), SessionRejection> {
    Session::<T>::extract(request.extensions()).await.map(drop)
}

#[tokio::test]
async fn a_layer_on_it_serves_no_identities_and_no_merge_rules() {
    let store = Basic::new(Shelf::default());
    let sessions = SessionConfig::builder().secret(Secret::random()).store(store).build();
    let service = tower::service_fn(async |request: Request| {
        let rejection = match request.uri().path() {
            "/visit" => open::<Visit>(request).await,
            "/account" => open::<Account>(request).await,
            _ => open::<Cart>(request).await,
        };
        let mut response = http::Response::new(rejection.err().map_or("", SessionRejection::body_text).to_owned());
        *response.status_mut() = rejection.err().map_or(StatusCode::OK, SessionRejection::status);
        Ok::<_, Oops>(response)
    });
    for (path, status) in [("/visit", 200), ("/account", 500), ("/cart", 500)] {
        let request = http::Request::get(path).body(String::new()).unwrap();
        let layered = tower::Layer::layer(&sessions.overwriting_layer(), service);
        let answer = Answer::read(tower::ServiceExt::oneshot(layered, request).await.unwrap()).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.text.contains("only overwrites"), status == 500, "{}", answer.text);
    }
}

/// A mistake of the program is no reason to do without a session.
#[tokio::test]
async fn a_handler_that_can_do_without_a_session_is_told_that_it_cannot_have_one() {
    let sessions = SessionConfig::builder().secret(Secret::random()).store(Basic::new(Shelf::default())).build();
    let route = axum::routing::get(async |session: Option<Session<Account>>| drop(session));
    let app = axum::Router::new().route("/", route).layer(sessions.overwriting_layer());
    let request = http::Request::get("/").body(axum::body::Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(app, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn r16_bytes_that_are_no_session_are_not_overwritten() {
    let (shelf, clock) = (Shelf::default(), ManualClock::new());
    let store = Basic::new(shelf.clone()).clock(clock);
    let id = SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA").unwrap();
    shelf.0.lock().unwrap().insert(id.clone(), b"{\"cookie\":{}}".to_vec());
    assert_eq!(store.load(&id).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
    let row = http_session::record::Row::new(http_session::record::VerifierHash([7; 32]));
    let lifetime = http_session::record::Lifetime {
        idle: Duration::from_secs(60),
        absolute: Duration::from_secs(60),
        extent: http_session::record::Extent::Extend,
    };
    assert_eq!(store.insert(&id, &row, lifetime).await.unwrap(), Inserted::Taken);
    assert_eq!(store.destroy(&id, Some(row.epoch)).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert_eq!(shelf.0.lock().unwrap().get(&id).map(Vec::as_slice), Some(b"{\"cookie\":{}}".as_slice()));
    assert_eq!(store.destroy(&id, None).await.unwrap(), Destroyed::Destroyed);
    assert_eq!(store.insert(&id, &row, lifetime).await.unwrap(), Inserted::Inserted);
}
