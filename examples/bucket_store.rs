//! A complete store: sessions in a bucket. A bucket is any service that keeps bytes under keys, and replaces them only if they
//! are still the version that was read (S3's `If-Match`, etcd, Consul, DynamoDB, a file with a version).
//!
//! `cargo run --example bucket_store` checks it with the suite for stores.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_session::SessionId;
use http_session::SessionStore;
use http_session::clock::{Clock, ManualClock};
use http_session::error::{StoreError, StoreErrorKind};
use http_session::record::{Epoch, Lifetime, Patch, Record};
use http_session::store::conformance::Suite;
use http_session::store::{Destroyed, Entry, Inserted, Touched, Updated};

/// Bytes, and the version that a replacement must name.
type Object = (u64, Vec<u8>);

/// The client of the service. Here the service is a map.
#[derive(Clone)]
pub(crate) struct Bucket {
    clock: Arc<dyn Clock>,
    objects: Arc<Mutex<HashMap<SessionId, Object>>>,
}

impl Bucket {
    /// An empty bucket.
    pub(crate) fn new(clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), objects: Arc::default() }
    }

    /// The object under a key, and the time of the service, as in the `Date` header of a response.
    async fn get(&self, key: &SessionId) -> io::Result<(Option<Object>, Duration)> {
        tokio::task::yield_now().await;
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((objects.get(key).cloned(), self.clock.unix()))
    }

    /// Replaces the object if it has this version; with `None`, creates it if there is none. Answers whether it did.
    async fn put(&self, key: &SessionId, version: Option<u64>, bytes: Vec<u8>) -> io::Result<bool> {
        tokio::task::yield_now().await;
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unchanged = objects.get(key).map(|(version, _)| *version) == version;
        if is_unchanged {
            objects.insert(key.clone(), (version.map_or(0, |version| version + 1), bytes));
        }
        Ok(is_unchanged)
    }
}

/// Sessions in a bucket.
pub(crate) struct BucketStore {
    bucket: Bucket,
}

impl BucketStore {
    /// Sessions in this bucket. Several stores may share one.
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// Calls `change` with the live entry of an id, if there is one, and stores what it leaves.
    async fn with<T>(
        &self,
        id: &SessionId,
        change: impl Fn(&mut Option<Entry>, Duration) -> T + Send + Sync,
    ) -> Result<T, StoreError> {
        loop {
            // Nothing was written yet, so the store is only unavailable.
            let (object, now) = self.bucket.get(id).await.map_err(|error| lost(StoreErrorKind::Unavailable, error))?;
            let stored = object.as_ref().map(|(_, bytes)| Entry::from_bytes(bytes)).transpose()?;
            let live = stored.filter(|entry| entry.is_live(now));
            let mut entry = live.clone();
            let answer = change(&mut entry, now);
            let Some(changed) = entry.filter(|entry| live.as_ref() != Some(entry)) else { return Ok(answer) };
            // If the answer to a write is lost, nobody knows whether it happened.
            let put = self.bucket.put(id, object.map(|(version, _)| version), changed.to_bytes()).await;
            if put.map_err(|error| lost(StoreErrorKind::Unknown, error))? {
                return Ok(answer);
            }
            // Another process was first, so nothing was written. Start again with what is there now; the layer limits the time.
        }
    }
}

fn lost(kind: StoreErrorKind, error: io::Error) -> StoreError {
    StoreError::new(kind).with_source(error)
}

impl SessionStore for BucketStore {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.with(id, |entry, now| entry.as_ref().map(|entry| entry.record(now))).await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let change = |entry: &mut Option<Entry>, now| match entry {
            Some(_) => Inserted::Taken,
            None => {
                *entry = Some(Entry::new(record, lifetime, now));
                Inserted::Inserted
            }
        };
        self.with(id, change).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        let change = |entry: &mut Option<Entry>, now| match entry {
            Some(entry) => entry.update(patch, lifetime, now),
            None => Updated::Missing,
        };
        self.with(id, change).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        let change = |entry: &mut Option<Entry>, now| entry.as_mut().map(|entry| entry.touch(epoch, lifetime, now));
        Ok(self.with(id, change).await?.unwrap_or(Touched::Missing))
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let change = |entry: &mut Option<Entry>, now| entry.as_mut().map(|entry| entry.destroy(epoch, now));
        Ok(self.with(id, change).await?.unwrap_or(Destroyed::Missing))
    }
}

#[tokio::main]
async fn main() {
    let clock = ManualClock::new();
    let bucket = Bucket::new(clock.clone());
    let suite = Suite::new(BucketStore::new(bucket.clone()));
    // A second store on the same bucket, as another process has one.
    let suite = suite.peer(BucketStore::new(bucket)).clock(move |by| clock.advance(by));
    suite.run().await.assert();
}
