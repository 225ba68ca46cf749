//! Acknowledged writes survive `kill -9`, if the server's settings promise it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_session::store::{EnumerateSessions as _, Inserted, Updated};
use http_session::{SessionId, SessionStore as _};
use http_session_redis::RedisStore;
use tokio::task::JoinSet;

use super::{LONG, hits, increment, new_id, new_record, recovered, stored};
use http_session_test_kit::servers::Redis;
use http_session_test_kit::times;

#[derive(Default)]
struct Acknowledged {
    /// The hits that were acknowledged.
    hits: HashMap<SessionId, i64>,
    /// The hits that may have been written in addition.
    perhaps: HashMap<SessionId, i64>,
}

/// `appendonly yes`, `appendfsync always`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_write_is_lost_by_a_server_that_is_killed() {
    let Some(mut redis) = Redis::options().durable().start("durability") else { return };
    let options = RedisStore::options().time_limit(Duration::from_millis(500));
    let store = options.connect(&redis.url()).await.unwrap();
    let known = Arc::new(Mutex::new(Acknowledged::default()));
    let mut shared = Vec::new();
    for _ in 0..8 {
        shared.push(stored(&store).await);
    }
    for round in 0..times(100) {
        let mut writers = JoinSet::new();
        for id in shared.clone() {
            let (store, known) = (store.clone(), Arc::clone(&known));
            writers.spawn(async move { write_until_it_fails(&store, &id, &known).await });
        }
        // At a different moment each time.
        tokio::time::sleep(Duration::from_millis(5 + round * 7 % 60)).await;
        let killed = tokio::task::spawn_blocking(move || {
            redis.kill();
            redis
        });
        let killed = killed.await.unwrap();
        while writers.join_next().await.is_some() {}
        redis = tokio::task::spawn_blocking(move || {
            let mut redis = killed;
            redis.restart();
            redis
        })
        .await
        .unwrap();
        recovered(async || store.load(&shared[0]).await).await;
        check(&store, &known, &shared).await;
    }
    let all: Vec<SessionId> = known.lock().unwrap().hits.keys().cloned().collect();
    check(&store, &known, &all).await;
    assert!(all.len() > shared.len() && store.len().await.unwrap() >= all.len());
}

/// Counts in a record that no other task writes, and inserts new records.
async fn write_until_it_fails(store: &RedisStore, id: &SessionId, known: &Mutex<Acknowledged>) {
    for turn in 0_u32.. {
        match increment(store, id).await {
            Ok(Updated::Applied { .. }) => *known.lock().unwrap().hits.entry(id.clone()).or_default() += 1,
            Ok(other) => panic!("{other:?}"),
            Err(_) => {
                *known.lock().unwrap().perhaps.entry(id.clone()).or_default() += 1;
                return;
            }
        }
        if turn % 8 == 0 {
            let new = new_id();
            if let Ok(Inserted::Inserted) = store.insert(&new, &new_record(), LONG).await {
                known.lock().unwrap().hits.insert(new, 0);
            }
        }
    }
}

async fn check(store: &RedisStore, known: &Mutex<Acknowledged>, ids: &[SessionId]) {
    for id in ids {
        let record = store.load(id).await.unwrap().expect("an acknowledged record is there");
        let known = known.lock().unwrap();
        let least = known.hits.get(id).copied().unwrap_or_default();
        let most = least + known.perhaps.get(id).copied().unwrap_or_default();
        assert!((least..=most).contains(&hits(&record)), "{} of {least} to {most}", hits(&record));
    }
}
