//! A complete store: sessions in a bucket, any service that keeps bytes under keys and replaces them only if nobody else
//! has (S3's `If-Match`, etcd, Consul, DynamoDB, a file with a version).
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

    /// The object under a key, and the service's time: the `Date` of an answer over HTTP.
    async fn get(&self, key: &SessionId) -> io::Result<(Option<Object>, Duration)> {
        tokio::task::yield_now().await;
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((objects.get(key).cloned(), self.clock.unix()))
    }

    /// Replaces the object of that version, or of `None` creates it. Answers whether it did.
    async fn put(&self, key: &SessionId, version: Option<u64>, bytes: Vec<u8>) -> io::Result<bool> {
        tokio::task::yield_now().await;
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let is_as_read = objects.get(key).map(|(version, _)| *version) == version;
        if is_as_read {
            objects.insert(key.clone(), (version.map_or(0, |version| version + 1), bytes));
        }
        Ok(is_as_read)
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

    /// Asks the entry of an id, `None` where nothing is live, and keeps what the answer made of it.
    async fn ask<T>(
        &self,
        id: &SessionId,
        ask: impl Fn(&mut Option<Entry>, Duration) -> T + Send + Sync,
    ) -> Result<T, StoreError> {
        loop {
            // A read that failed did nothing.
            let (object, now) = self.bucket.get(id).await.map_err(|error| lost(StoreErrorKind::Unavailable, error))?;
            let stored = object.as_ref().map(|(_, bytes)| Entry::from_bytes(bytes)).transpose()?;
            let live = stored.filter(|entry| entry.is_live(now));
            let mut entry = live.clone();
            let answer = ask(&mut entry, now);
            let Some(changed) = entry.filter(|entry| live.as_ref() != Some(entry)) else { return Ok(answer) };
            // Of a write whose answer was lost nobody knows (R10).
            let put = self.bucket.put(id, object.map(|(version, _)| version), changed.to_bytes()).await;
            if put.map_err(|error| lost(StoreErrorKind::Unknown, error))? {
                return Ok(answer);
            }
            // Somebody else was first, so nothing was written: ask again what is there now. The layer limits the time.
        }
    }
}

fn lost(kind: StoreErrorKind, error: io::Error) -> StoreError {
    StoreError::new(kind).with_source(error)
}

impl SessionStore for BucketStore {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.ask(id, |entry, now| entry.as_ref().map(|entry| entry.record(now))).await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let ask = |entry: &mut Option<Entry>, now| match entry {
            Some(_) => Inserted::Taken,
            None => {
                *entry = Some(Entry::new(record, lifetime, now));
                Inserted::Inserted
            }
        };
        self.ask(id, ask).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        let ask = |entry: &mut Option<Entry>, now| match entry {
            Some(entry) => entry.update(patch, lifetime, now),
            None => Updated::Missing,
        };
        self.ask(id, ask).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        let ask = |entry: &mut Option<Entry>, now| entry.as_mut().map(|entry| entry.touch(epoch, lifetime, now));
        Ok(self.ask(id, ask).await?.unwrap_or(Touched::Missing))
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let ask = |entry: &mut Option<Entry>, now| entry.as_mut().map(|entry| entry.destroy(epoch, now));
        Ok(self.ask(id, ask).await?.unwrap_or(Destroyed::Missing))
    }
}

/// Every write names the version that it has read.
#[tokio::main]
async fn main() {
    let clock = ManualClock::new();
    let bucket = Bucket::new(clock.clone());
    let suite = Suite::new(BucketStore::new(bucket.clone()));
    // A second store on the same bucket, as another process has one.
    let suite = suite.peer(BucketStore::new(bucket)).clock(move |by| clock.advance(by));
    suite.run().await.assert();
}
