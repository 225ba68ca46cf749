//! R10: stores that cannot merge by themselves answer `Conflict`, and are asked again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use http_session::error::StoreError;
use http_session::record::{Epoch, Lifetime, OnConflict, Patch, Row};
use http_session::store::{ConditionalCommit, Destroyed, Inserted, SessionStore, Touched, Updated};
use http_session::{MemoryStore, Session, SessionConfig, SessionId};

use crate::support::{Answer, Browser, Oops, Request, Visit, poll_once, secret};

/// Compares and swaps, as a database would: any conditional field that has another value is a conflict. Between load and
/// update another request is quicker, as often as it is told.
#[derive(Clone)]
struct Swapping {
    inner: MemoryStore,
    quicker: Arc<AtomicUsize>,
    updates: Arc<AtomicUsize>,
}

impl ConditionalCommit for Swapping {}

impl SessionStore for Swapping {
    async fn load(&self, id: &SessionId) -> Result<Option<Row>, StoreError> {
        self.inner.load(id).await
    }

    async fn insert(&self, id: &SessionId, row: &Row, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        self.inner.insert(id, row, lifetime).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        tokio::task::yield_now().await;
        self.updates.fetch_add(1, Ordering::SeqCst);
        if self.quicker.load(Ordering::SeqCst) > 0 {
            self.quicker.fetch_sub(1, Ordering::SeqCst);
            let row = self.inner.load(id).await?.unwrap();
            let hits: i64 = row.fields.find("hits").map_or(0, |raw| serde_json::from_slice(raw).unwrap());
            let other = format!("{}", hits + 100);
            let mut theirs = Patch::unchanged(&row);
            theirs.result = [("hits", http_session::record::Keep::No, other.as_bytes())].into_iter().collect();
            let _ = self.inner.update(id, &theirs, lifetime).await?;
        }
        let row = self.inner.load(id).await?.unwrap();
        if patch.changes().any(|change| change.conditional && row.fields.read(change.field) != change.base) {
            return Ok(Updated::Conflict(Box::new(row)));
        }
        let mut whole = patch.clone();
        whole.on_conflict = OnConflict::Refuse;
        self.inner.update(id, &whole, lifetime).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        self.inner.touch(id, epoch, lifetime).await
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        self.inner.destroy(id, epoch).await
    }
}

async fn add(request: Request, mut s: Session<Visit>) -> Result<http::Response<String>, Oops> {
    if request.method() == Method::PUT {
        s.hits += 1;
        assert!(poll_once(&mut Box::pin(s.save())).is_pending());
    }
    s.hits += 1;
    Ok(http::Response::new(s.hits.to_string()))
}

#[tokio::test(start_paused = true)]
async fn r10_after_a_definite_conflict_the_request_is_merged_anew_from_its_original_and_tried_again() {
    let store = Swapping { inner: MemoryStore::new(), quicker: Arc::default(), updates: Arc::default() };
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

#[tokio::test(start_paused = true)]
async fn r9_what_others_wrote_during_a_save_is_not_lost_to_a_change_since() {
    let store = Swapping { inner: MemoryStore::new(), quicker: Arc::default(), updates: Arc::default() };
    let sessions = SessionConfig::builder().secret(secret()).store(store.clone()).build();
    let service = sessions.service(add);
    let mut browser = Browser::default();
    browser.get(&service, "/").await;
    store.quicker.store(1, Ordering::SeqCst);
    // One is saved, and one is added while the save is under way; another request adds a hundred.
    assert_eq!(browser.send(&service, Method::PUT, "/").await.status.as_u16(), 200);
    let id = http_session::store::EnumerateSessions::ids(&store.inner, None, 1).await.unwrap().remove(0);
    let row = store.inner.load(&id).await.unwrap().unwrap();
    assert_eq!(row.fields.find("hits"), Some(b"103".as_slice()));
}
