//! `RedisStore`: on one server, on a cluster, behind sentinels, of several versions; and what happens when they fail.

mod cluster;
mod durability;
mod faults;
mod layer;
mod rows;
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

/// Sums.
static HITS: Field = Field::new("hits").merge(add);
static NOTE: Field = Field::new("note");

fn add(base: &[u8], theirs: &[u8], ours: &[u8]) -> Result<Vec<u8>, MergeConflict> {
    Ok((number(theirs) + number(ours) - number(base)).to_string().into_bytes())
}

fn number(digits: &[u8]) -> i64 {
    std::str::from_utf8(digits).unwrap().parse().unwrap_or_default()
}

fn hits(row: &Record) -> i64 {
    number(row.fields.find("hits").unwrap_or_default())
}

/// An id that no other test has, on a server that may be shared.
fn new_id() -> SessionId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    SessionId::try_from(format!("test-{process}-{number}").as_str()).unwrap()
}

fn row() -> Record {
    Record::new(VerifierHash([7; 32]))
}

async fn stored(store: &RedisStore) -> SessionId {
    let id = new_id();
    let _ = store.insert(&id, &row(), LONG).await.unwrap();
    id
}

/// The row with one field set.
fn write(row: &Record, field: &'static Field, value: &[u8]) -> Patch {
    let mut patch = Patch::unchanged(row);
    let others = row.fields.iter().filter(|stored| stored.name != field.name);
    let fields: Vec<(&str, Keep, &[u8])> =
        others.map(|StoredField { name, keep, value, .. }| (name, keep, value)).collect();
    patch.result = fields.into_iter().chain([(field.name, field.keep, value)]).collect::<Fields>();
    patch.write(field);
    patch
}

fn one_more(row: &Record) -> Patch {
    write(row, &HITS, (hits(row) + 1).to_string().as_bytes())
}

/// Adds one, merged anew from the original after each conflict, as the layer does.
async fn increment(store: &RedisStore, id: &SessionId) -> Result<Updated, StoreError> {
    let row = store.load(id).await?.expect("the row is there");
    let patch = one_more(&row);
    let mut attempt = patch.clone();
    loop {
        match store.update(id, &attempt, LONG).await? {
            Updated::Conflict(row) => attempt = patch.rebase(&row.fields).expect("sums join"),
            answer => return Ok(answer),
        }
    }
}

fn kind<T>(answer: Result<T, StoreError>) -> Option<StoreErrorKind> {
    answer.err().map(|error| error.kind())
}

/// The answer of a call that must not take long.
async fn within<T>(limit: Duration, call: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let answer = tokio::time::timeout(4 * limit, call).await.expect("the call ends");
    assert!(start.elapsed() < 3 * limit, "{:?} of {limit:?}", start.elapsed());
    answer
}

/// Asks again until there is an answer, for a minute.
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
