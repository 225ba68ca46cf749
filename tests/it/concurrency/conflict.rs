//! R10: stores that cannot merge by themselves answer `Conflict`, and are asked again.

use std::sync::atomic::Ordering;

use http::Method;
use http_session::{Session, SessionConfig, SessionStore as _};

use crate::support::{Answer, Browser, Oops, Request, Swapping, Visit, secret};

async fn add(request: Request, mut s: Session<Visit>) -> Result<http::Response<String>, Oops> {
    if request.method() == Method::PUT {
        s.state = Some("mine".to_owned());
    }
    s.hits += 1;
    Ok(http::Response::new(s.hits.to_string()))
}

#[tokio::test(start_paused = true)]
async fn r10_after_a_definite_conflict_the_request_is_merged_anew_from_its_original_and_tried_again() {
    let store = Swapping::default();
    let sessions = SessionConfig::builder().secret(secret()).store(store.clone()).build();
    let service = sessions.service(add);
    let mut browser = Browser::default();
    browser.get(&service, "/").await;
    for (quicker, total) in [(0, 2), (1, 103), (3, 404)] {
        store.quicker.store(quicker, Ordering::SeqCst);
        store.updates.store(0, Ordering::SeqCst);
        let answer: Answer = browser.get(&service, "/").await;
        assert_eq!(answer.status.as_u16(), 200);
        assert_eq!(store.updates.load(Ordering::SeqCst), quicker + 1);
        let id = http_session::store::EnumerateSessions::ids(&store.inner, None, 1).await.unwrap().remove(0);
        let hits = store.inner.load(&id).await.unwrap().unwrap().fields.find("hits").unwrap().to_vec();
        assert_eq!(String::from_utf8(hits).unwrap(), total.to_string());
    }
}
