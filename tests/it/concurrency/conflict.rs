//! R10: a store that cannot merge answers `Conflict`, and the library merges and tries again.

use std::sync::atomic::Ordering;

use http::Method;
use http_session::{MemoryStore, Session, SessionConfig, SessionStore as _};

use crate::support::{Answer, Browser, Oops, Request, Swapping, Visit, poll_once, secret, through};

async fn add(request: Request, mut s: Session<Visit>) -> Result<http::Response<String>, Oops> {
    if request.method() == Method::PUT {
        s.hits += 1;
        assert!(poll_once(&mut Box::pin(s.save())).is_pending());
    }
    s.hits += 1;
    Ok(http::Response::new(s.hits.to_string()))
}

#[tokio::test(start_paused = true)]
async fn r10_after_a_conflict_the_original_changes_are_merged_again_and_retried() {
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
        let id = http_session::store::EnumerateSessions::ids(&store.inner, None, 1).await.unwrap().ids.remove(0);
        let hits = store.inner.load(&id).await.unwrap().unwrap().fields.find("hits").unwrap().to_vec();
        assert_eq!(String::from_utf8(hits).unwrap(), total.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn r9_a_change_during_a_save_does_not_overwrite_another_requests_write() {
    let store = Swapping::default();
    let sessions = SessionConfig::builder().secret(secret()).store(store.clone()).build();
    let service = sessions.service(add);
    let mut browser = Browser::default();
    browser.get(&service, "/").await;
    store.quicker.store(1, Ordering::SeqCst);
    // The handler saves one view, and adds one more during the save. Another request adds a hundred.
    assert_eq!(browser.send(&service, browser.request(Method::PUT, "/")).await.status.as_u16(), 200);
    let id = http_session::store::EnumerateSessions::ids(&store.inner, None, 1).await.unwrap().ids.remove(0);
    let record = store.inner.load(&id).await.unwrap().unwrap();
    assert_eq!(record.fields.find("hits"), Some(b"103".as_slice()));
}

fn fails(_: i64, _: i64, _: i64) -> i64 {
    panic!("a mistake in a merge function")
}

#[derive(Session)]
struct Faulty {
    #[session(merge = fails)]
    hits: i64,
    #[session(merge = "reject")]
    seat: i64,
}

#[tokio::test(start_paused = true)]
async fn r12_a_merge_function_that_panics_fails_the_commit_and_not_the_service() {
    let store = Swapping::default();
    let sessions = SessionConfig::builder().secret(secret()).store(store.clone()).build();
    let service = sessions.service(async |_: Request, mut s: Session<Faulty>| {
        s.hits += 1;
        Ok::<_, Oops>(http::Response::new(s.hits.to_string()))
    });
    let mut browser = Browser::default();
    browser.get(&service, "/").await;
    store.quicker.store(1, Ordering::SeqCst);
    assert_eq!(browser.get(&service, "/").await.status.as_u16(), 503);
    assert_eq!(browser.get(&service, "/").await.status.as_u16(), 200);
}

#[tokio::test]
async fn r12_a_merge_function_that_panics_between_two_handles_fails_the_commit() {
    let sessions = SessionConfig::builder().secret(secret()).store(MemoryStore::new()).build();
    let answer = through(&sessions, Browser::default().request(Method::GET, "/"), async |r: Request| {
        let mut first = Session::<Faulty>::extract(r.extensions()).await.unwrap();
        let mut second = Session::<Faulty>::extract(r.extensions()).await.unwrap();
        first.hits += 1;
        second.hits += 1;
    })
    .await;
    assert_eq!(answer.status.as_u16(), 503);
    assert_eq!(answer.set_cookies(), &[] as &[String]);
}

/// Rotates a session in the express format, which makes a copy under a new id, while another request writes the same field.
/// Returns the status of the rotation, and what is stored afterwards.
async fn rotate_during_a_write(field: fn(&mut Faulty) -> &mut i64) -> (u16, i64) {
    let sessions = SessionConfig::express().secret(secret()).store(MemoryStore::new()).build();
    let mut browser = Browser::default();
    let write = |value| async move |r: Request| *field(&mut Session::extract(r.extensions()).await.unwrap()) = value;
    browser.keep(&through(&sessions, browser.request(Method::GET, "/"), write(1)).await);
    let rotation = through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        let mut session = Session::<Faulty>::extract(r.extensions()).await.unwrap();
        through(&sessions, browser.request(Method::GET, "/"), write(2)).await;
        *field(&mut session) = 3;
        session.rotate();
    })
    .await;
    browser.keep(&rotation);
    let mut stored = 0;
    through(&sessions, browser.request(Method::GET, "/"), async |r: Request| {
        stored = *field(&mut Session::extract(r.extensions()).await.unwrap());
    })
    .await;
    (rotation.status.as_u16(), stored)
}

#[tokio::test]
async fn r10_a_rotation_into_a_new_record_obeys_a_merge_rule_that_rejects() {
    assert_eq!(rotate_during_a_write(|data| &mut data.seat).await, (409, 2));
}

#[tokio::test]
async fn r12_a_merge_function_that_panics_fails_a_rotation_into_a_new_record() {
    assert_eq!(rotate_during_a_write(|data| &mut data.hits).await, (503, 2));
}
