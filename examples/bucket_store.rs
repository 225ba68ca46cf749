//! A complete store: sessions in a bucket. A bucket is any service that keeps bytes under keys, and that replaces an object
//! only if it still has the version that was read: S3 with `If-Match`, etcd, Consul, DynamoDB, or a file with a version.
//!
//! `cargo run --example bucket_store` checks the store with the conformance suite.

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

/// The version, which a write must name, and the bytes.
type Object = (u64, Vec<u8>);

/// The client of the service. In this example the service is a map.
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

    /// The object under a key, and the time of the service. Over HTTP, that is the `Date` of the response.
    async fn get(&self, key: &SessionId) -> io::Result<(Option<Object>, Duration)> {
        tokio::task::yield_now().await;
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((objects.get(key).cloned(), self.clock.unix()))
    }

    /// Replaces the object if it has this version, or creates it if the version is `None`. Returns whether it wrote.
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
    /// A store of the sessions in this bucket. Several stores may share a bucket.
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// Reads the entry of an id, passes it to `operation`, and writes it if `operation` has changed it. An entry that is
    /// missing or expired is `None`.
    async fn run<T>(
        &self,
        id: &SessionId,
        operation: impl Fn(&mut Option<Entry>, Duration) -> T + Send + Sync,
    ) -> Result<T, StoreError> {
        loop {
            // A failed read has changed nothing, so the caller may try again.
            let (object, now) =
                self.bucket.get(id).await.map_err(|error| store_error(StoreErrorKind::Unavailable, error))?;
            let stored = object.as_ref().map(|(_, bytes)| Entry::from_bytes(bytes)).transpose()?;
            let live = stored.filter(|entry| entry.is_live(now));
            let mut entry = live.clone();
            let outcome = operation(&mut entry, now);
            let Some(changed) = entry.filter(|entry| live.as_ref() != Some(entry)) else { return Ok(outcome) };
            // If the response to a write is lost, nobody knows whether the write happened. It must not be repeated.
            let put = self.bucket.put(id, object.map(|(version, _)| version), changed.to_bytes()).await;
            if put.map_err(|error| store_error(StoreErrorKind::Unknown, error))? {
                return Ok(outcome);
            }
            // Another write came first, so this one was refused. Try again with what is stored now. The middleware limits how
            // long this may take.
        }
    }
}

fn store_error(kind: StoreErrorKind, error: io::Error) -> StoreError {
    StoreError::new(kind).with_source(error)
}

impl SessionStore for BucketStore {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.run(id, |entry, now| entry.as_ref().map(|entry| entry.record(now))).await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let operation = |entry: &mut Option<Entry>, now| match entry {
            Some(_) => Inserted::Taken,
            None => {
                *entry = Some(Entry::new(record, lifetime, now));
                Inserted::Inserted
            }
        };
        self.run(id, operation).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        let operation = |entry: &mut Option<Entry>, now| match entry {
            Some(entry) => entry.update(patch, lifetime, now),
            None => Updated::Missing,
        };
        self.run(id, operation).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        let operation = |entry: &mut Option<Entry>, now| entry.as_mut().map(|entry| entry.touch(epoch, lifetime, now));
        Ok(self.run(id, operation).await?.unwrap_or(Touched::Missing))
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let operation = |entry: &mut Option<Entry>, now| entry.as_mut().map(|entry| entry.destroy(epoch, now));
        Ok(self.run(id, operation).await?.unwrap_or(Destroyed::Missing))
    }
}

#[tokio::main]
async fn main() {
    let clock = ManualClock::new();
    let bucket = Bucket::new(clock.clone());
    let suite = Suite::new(BucketStore::new(bucket.clone()));
    // A second store on the same bucket, like that of another process.
    let suite = suite.peer(BucketStore::new(bucket)).clock(move |by| clock.advance(by));
    suite.run().await.assert();
}
