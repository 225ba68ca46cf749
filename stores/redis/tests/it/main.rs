//! `RedisStore` on one server, on a cluster and behind sentinels, on several versions of Redis, and when servers fail.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod cluster;
mod durability;
mod faults;
mod layer;
mod records;
mod sentinel;
mod servers;
mod suite;
mod wire;

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_session::error::{MergeConflict, StoreError, StoreErrorKind};
use http_session::record::{Field, Fields, Keep, Lifetime, Patch, Record, StoredField, VerifierHash};
use http_session::store::Updated;
use http_session::{SessionId, SessionStore};
use http_session_redis::RedisStore;

const DAY: Duration = Duration::from_secs(24 * 3600);
const LONG: Lifetime = Lifetime::new(DAY, Duration::from_secs(30 * 24 * 3600));

/// Merged by adding.
static HITS: Field = Field::new("hits").merge(add);
static NOTE: Field = Field::new("note");

fn add(base: &[u8], theirs: &[u8], ours: &[u8]) -> Result<Vec<u8>, MergeConflict> {
    Ok((number(theirs) + number(ours) - number(base)).to_string().into_bytes())
}

fn number(digits: &[u8]) -> i64 {
    std::str::from_utf8(digits).unwrap().parse().unwrap_or_default()
}

fn hits(record: &Record) -> i64 {
    number(record.fields.find("hits").unwrap_or_default())
}

/// An id that no other test uses: tests may share a server.
fn new_id() -> SessionId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    SessionId::try_from(format!("test-{process}-{number}").as_str()).unwrap()
}

fn new_record() -> Record {
    Record::new(VerifierHash([7; 32]))
}

async fn stored(store: &RedisStore) -> SessionId {
    let id = new_id();
    let _ = store.insert(&id, &new_record(), LONG).await.unwrap();
    id
}

/// The record with one field set.
fn write(record: &Record, field: &'static Field, value: &[u8]) -> Patch {
    let mut patch = Patch::unchanged(record);
    let others = record.fields.iter().filter(|stored| stored.name != field.name);
    let fields: Vec<(&str, Keep, &[u8])> =
        others.map(|StoredField { name, keep, value, .. }| (name, keep, value)).collect();
    patch.result = fields.into_iter().chain([(field.name, field.keep, value)]).collect::<Fields>();
    patch.write(field);
    patch
}

fn one_more(record: &Record) -> Patch {
    write(record, &HITS, (hits(record) + 1).to_string().as_bytes())
}

/// Adds one. After a conflict, merges the original change again, as the layer does.
async fn increment(store: &RedisStore, id: &SessionId) -> Result<Updated, StoreError> {
    let record = store.load(id).await?.expect("the record is there");
    let patch = one_more(&record);
    let mut attempt = patch.clone();
    loop {
        match store.update(id, &attempt, LONG).await? {
            Updated::Conflict(record) => attempt = patch.rebase(&record.fields).expect("sums join"),
            answer => return Ok(answer),
        }
    }
}

fn kind<T>(answer: Result<T, StoreError>) -> Option<StoreErrorKind> {
    answer.err().map(|error| error.kind())
}

/// The answer of a call that must end soon after its time limit.
async fn within<T>(limit: Duration, call: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let answer = tokio::time::timeout(4 * limit, call).await.expect("the call ends");
    assert!(start.elapsed() < 3 * limit, "{:?} of {limit:?}", start.elapsed());
    answer
}

/// Repeats a call until it succeeds, for a minute.
async fn recovered<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    let start = Instant::now();
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(error) => {
                assert!(start.elapsed() < Duration::from_secs(60), "no recovery: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}
