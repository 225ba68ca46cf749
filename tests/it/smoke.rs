//! The shortest complete use of the library: read this first.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use http_session::error::StoreErrorKind;
use http_session::{MemoryStore, Session, SessionConfig};

use crate::support::{Answer, Browser, Call, Fault, Faulty, Recording, secret};

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn count(_: Request<String>, mut session: Session<Visit>) -> Result<Response<String>, Infallible> {
    session.views += 1;
    Ok(Response::new(session.views.to_string()))
}

#[tokio::test]
async fn a_session_counts_visits() {
    for is_instant in [true, false] {
        let store = Recording { is_instant, ..Recording::new(MemoryStore::new()) };
        let sessions = SessionConfig::builder().secret(secret()).store(store.clone()).build();
        let service = sessions.service(count);
        let mut browser = Browser::default();
        assert_eq!(browser.get(&service, "/").await.text, "1");
        assert_eq!(browser.get(&service, "/").await.text, "2");
        assert_eq!(Browser::default().get(&service, "/").await.text, "1");
        assert_eq!(store.take_names(), ["insert", "load", "update", "insert"]);
    }
}

#[tokio::test]
async fn a_failing_store_is_a_clear_503() {
    let store = Faulty::new(MemoryStore::new());
    let sessions = SessionConfig::builder().secret(secret()).store(store.clone()).build();
    let service = sessions.service(count);
    let mut browser = Browser::default();
    assert_eq!(browser.get(&service, "/").await.status, StatusCode::OK);
    for (call, fault) in [(Call::Load, Fault::Panic), (Call::Update, Fault::Error(StoreErrorKind::Unavailable))] {
        store.fail(call, fault);
        let answer: Answer = browser.get(&service, "/").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.text, "the session store is unavailable");
        store.heal();
    }
    assert_eq!(browser.get(&service, "/").await.text, "2");
}
