use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_session::SessionStore;
use http_session::error::StoreError;
use http_session::record::{Epoch, Lifetime, OnConflict, Patch, Record};
use http_session::store::{Destroyed, Inserted, Touched, Updated};
use http_session::{MemoryStore, SessionId};

/// A store that cannot merge: an update is a conflict if a field that it depends on has changed since the load. It lets
/// another request write between load and update a given number of times.
#[derive(Clone, Default)]
pub struct Swapping {
    pub inner: MemoryStore,
    pub quicker: Arc<AtomicUsize>,
    pub updates: Arc<AtomicUsize>,
}

impl SessionStore for Swapping {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.inner.load(id).await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        self.inner.insert(id, record, lifetime).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        tokio::task::yield_now().await;
        self.updates.fetch_add(1, Ordering::SeqCst);
        if self.quicker.load(Ordering::SeqCst) > 0 {
            self.quicker.fetch_sub(1, Ordering::SeqCst);
            let record = self.inner.load(id).await?.unwrap();
            let hits: i64 = record.fields.find("hits").map_or(0, |raw| serde_json::from_slice(raw).unwrap());
            let other = format!("{}", hits + 100);
            let mut theirs = Patch::unchanged(&record);
            theirs.result = [("hits", http_session::record::Keep::No, other.as_bytes())].into_iter().collect();
            let _ = self.inner.update(id, &theirs, lifetime).await?;
        }
        let record = self.inner.load(id).await?.unwrap();
        if patch.changes().any(|change| change.conditional && record.fields.read(change.field) != change.base) {
            return Ok(Updated::Conflict(Box::new(record)));
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
