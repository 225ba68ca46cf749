//! Sentinels, and failovers to another primary.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_session::error::StoreError;
use http_session::error::StoreErrorKind::{Unavailable, Unknown};
use http_session::store::{EnumerateSessions as _, Updated};
use http_session::{SessionId, SessionStore as _};
use http_session_redis::RedisStore;
use tokio::task::JoinSet;

use super::{LONG, increment, new_record, one_more, recovered, stored, within};
use http_session_test_kit::servers::{Redis, Reply, Sentinel, wait_until};

const LIMIT: Duration = Duration::from_secs(1);

/// Adds one. A failover may lose records, as the README says, if the promoted server was not synchronised yet. Then the record
/// is inserted again, and the answer is `Missing`.
async fn visit(store: &RedisStore, id: &SessionId) -> Result<Updated, StoreError> {
    let Some(record) = store.load(id).await? else {
        let _ = store.insert(id, &new_record(), LONG).await?;
        return Ok(Updated::Missing);
    };
    store.update(id, &one_more(&record), LONG).await
}

/// Writes to all sessions until told to stop. The only errors allowed are `Unknown` and `Unavailable`.
fn writers(store: &RedisStore, ids: &[SessionId], stop: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut writers = JoinSet::new();
    for id in ids {
        let (store, id, stop) = (store.clone(), id.clone(), Arc::clone(stop));
        writers.spawn(async move {
            let mut kinds = HashSet::new();
            while !stop.load(Ordering::Relaxed) {
                if let Err(error) = within(2 * LIMIT, visit(&store, &id)).await {
                    kinds.insert(error.kind());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(kinds.iter().all(|kind| matches!(kind, Unknown | Unavailable)), "{kinds:?}");
        });
    }
    writers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_primary_is_followed() {
    let Some(mut sentinel) = Sentinel::start("a failover by sentinels") else { return };
    let store = RedisStore::options().time_limit(LIMIT).connect(&sentinel.url()).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(stored(&store).await);
    }
    // A record that has not been copied to the replica would be lost.
    let replica = sentinel.node(1 - sentinel.master());
    wait_until("the replica has the records", || replica.command(&["DBSIZE"]) == Reply::Integer(10));
    let stop = Arc::new(AtomicBool::new(false));
    let mut running = writers(&store, &ids, &stop);

    let killed = sentinel.kill_master();
    // There is only the promoted replica, and it had all records.
    for id in &ids {
        let _ = recovered(async || increment(&store, id).await).await;
    }
    // The store follows the first sentinel that answers. All sentinels have to agree before the old primary is started again, or
    // it would still be the primary for some of them.
    assert_ne!(sentinel.master(), killed);
    sentinel.wait_until_agreed();
    sentinel.restart(killed);
    sentinel.wait_until_whole();

    // A failover ordered by an operator: the primary becomes a replica, and goes on running.
    let sentinel = tokio::task::spawn_blocking(move || {
        sentinel.failover();
        sentinel
    });
    let sentinel = sentinel.await.unwrap();
    for id in &ids {
        let _ = recovered(async || visit(&store, id).await).await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    for id in &ids {
        let _ = visit(&store, id).await.unwrap();
        assert_eq!(visit(&store, id).await.unwrap(), Updated::Applied { renewed: true });
    }
    drop(sentinel);
}

/// Pages use no key, so no error reply says that there is another primary.
#[tokio::test]
async fn pages_find_a_new_primary_without_other_calls() {
    let Some(mut sentinel) = Sentinel::start("a failover while only pages are asked for") else { return };
    let store = RedisStore::options().time_limit(LIMIT).connect(&sentinel.url()).await.unwrap();
    let id = stored(&store).await;
    let replica = sentinel.node(1 - sentinel.master());
    wait_until("the replica has the record", || replica.command(&["DBSIZE"]) == Reply::Integer(1));
    assert_eq!(store.len().await.unwrap(), 1);
    let _killed = sentinel.kill_master();
    assert_eq!(recovered(async || store.len().await).await, 1);
    sentinel.wait_until_agreed();
    assert_eq!(store.ids(None, 10).await.unwrap().ids, [id]);
    store.clear().await.unwrap();
    assert_eq!(store.len().await.unwrap(), 0);
}

/// Sentinels that hang do not delay the others.
#[tokio::test]
async fn one_reachable_sentinel_is_enough() {
    let Some(sentinel) = Sentinel::start("a sentinel that hangs") else { return };
    let first = sentinel.addresses()[0];
    let proxy = http_session_test_kit::servers::Proxy::to(first).await;
    proxy.black_hole();
    // Two more accept connections and never answer.
    let silent: Vec<_> = (0..2).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let before: String = silent.iter().map(|silent| format!("{},", silent.local_addr().unwrap())).collect();
    let before = format!("{before}{},127.0.0.1:1", proxy.address());
    let url = sentinel.url().replace(&first.to_string(), &before);
    let store = RedisStore::options().time_limit(3 * LIMIT).connect(&url).await.unwrap();
    let _ = stored(&store).await;
}

/// A primary that was replaced without noticing it goes on answering.
#[tokio::test]
async fn a_replaced_primary_is_left_although_it_answers() {
    let Some(sentinel) = Sentinel::start("a primary that was replaced") else { return };
    let Some(other) = Redis::start("the primary in its place") else { return };
    let store = RedisStore::connect(&sentinel.url()).await.unwrap();
    let elsewhere = stored(&RedisStore::connect(&other.url()).await.unwrap()).await;
    assert_eq!(store.load(&elsewhere).await.unwrap(), None);
    sentinel.watch(&other);
    let start = std::time::Instant::now();
    while store.load(&elsewhere).await.unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(60), "the old primary is still asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
