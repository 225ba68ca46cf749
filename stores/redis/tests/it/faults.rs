//! One server that fails. Each call answers truthfully and in time, and calls succeed again afterwards.

use std::collections::HashSet;
use std::time::Duration;

use http_session::error::StoreErrorKind::{Full, Unavailable, Unknown};
use http_session::record::{Clear, IdentityChange, RawJson};
use http_session::store::{Destroyed, EnumerateSessions as _, Generation, IndexSessions as _, Touched, Updated};
use http_session::{SessionId, SessionStore as _};
use http_session_redis::RedisStore;
use tokio::task::JoinSet;

use super::{DAY, LONG, hits, increment, kind, new_id, one_more, recovered, stored, within, write};
use http_session_test_kit::servers::{Proxy, Redis};
use http_session_test_kit::times;

const LIMIT: Duration = Duration::from_millis(600);

struct Bench {
    redis: Redis,
    proxy: Proxy,
    store: RedisStore,
    id: SessionId,
}

impl Bench {
    async fn start() -> Option<Self> {
        let redis = Redis::start("a server that fails")?;
        let proxy = Proxy::to(redis.address()).await;
        let url = format!("redis://{}", proxy.address());
        let store = RedisStore::options().connections(1).time_limit(LIMIT).connect(&url).await.unwrap();
        let id = stored(&store).await;
        Some(Self { redis, proxy, store, id })
    }

    /// How many scripts the server has run.
    fn scripts(&self) -> u64 {
        let stats = self.redis.command(&["INFO", "commandstats"]).text();
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    }

    async fn hits(&self) -> i64 {
        recovered(async || Ok(hits(&self.store.load(&self.id).await?.unwrap()))).await
    }

    async fn recovers(&self) {
        let before = self.hits().await;
        let _ = recovered(async || increment(&self.store, &self.id).await).await;
        assert!(self.hits().await > before);
    }
}

#[tokio::test]
async fn r10_a_write_with_a_lost_answer_has_run_once_and_is_unknown() {
    let Some(bench) = Bench::start().await else { return };
    let Bench { proxy, store, id, .. } = &bench;
    let record = store.load(id).await.unwrap().unwrap();
    let (new, ada) = (new_id(), RawJson::new(b"\"ada\""));

    let calls: [(&str, &str); 6] = [
        ("insert", new.as_str()),
        ("update", id.as_str()),
        ("touch", id.as_str()),
        ("link", "ada"),
        ("unlink", "ada"),
        ("destroy", id.as_str()),
    ];
    for (call, needle) in calls {
        let before = bench.scripts();
        proxy.drop_replies_to(needle, 1);
        let answer = match call {
            "insert" => kind(store.insert(&new, &super::new_record(), LONG).await),
            "update" => kind(store.update(id, &one_more(&record), LONG).await),
            "touch" => kind(store.touch(id, record.epoch, LONG).await),
            "link" => kind(store.link(&ada, id, DAY).await),
            "unlink" => kind(store.unlink(&ada, id).await),
            _ => kind(store.destroy(id, None).await),
        };
        assert_eq!((call, answer), (call, Some(Unknown)));
        assert_eq!(proxy.replies_to_drop(), 0, "{call}");
        assert_eq!(bench.scripts() - before, 1, "{call}");
        if call == "update" {
            assert_eq!(bench.hits().await, 1, "it has run");
        }
    }
    assert!(store.load(&new).await.unwrap().is_some());
    assert!(store.load(id).await.unwrap().unwrap().is_tombstone());

    proxy.drop_replies_to(":generation", 1);
    assert_eq!(kind(store.raise_generation(&ada, Generation(7)).await), Some(Unknown));
    assert_eq!(store.generation(&ada).await.unwrap(), Generation(7));
}

#[tokio::test]
async fn a_read_with_a_lost_answer_is_sent_again() {
    let Some(bench) = Bench::start().await else { return };
    bench.proxy.drop_replies_to("HGETALL", 2);
    assert!(bench.store.load(&bench.id).await.unwrap().is_some());
    assert_eq!(bench.proxy.replies_to_drop(), 0);
    bench.proxy.drop_replies_to("HGETALL", 1000);
    assert_eq!(kind(within(LIMIT, bench.store.load(&bench.id)).await), Some(Unavailable));
    bench.proxy.heal().await;
    bench.recovers().await;
}

#[tokio::test]
async fn r10_a_write_whose_connection_is_reset_is_unknown() {
    let Some(bench) = Bench::start().await else { return };
    let record = bench.store.load(&bench.id).await.unwrap().unwrap();
    bench.proxy.latency(Duration::ZERO, LIMIT / 3);
    let before = bench.scripts();
    let (store, id) = (bench.store.clone(), bench.id.clone());
    let update = tokio::spawn(async move { kind(store.update(&id, &one_more(&record), LONG).await) });
    while bench.scripts() == before {
        tokio::task::yield_now().await;
    }
    bench.proxy.reset();
    assert_eq!(update.await.unwrap(), Some(Unknown));
    bench.proxy.heal().await;
    assert_eq!(bench.hits().await, 1);
    assert_eq!(bench.scripts() - before, 1);
    bench.recovers().await;
}

/// The connection is closed while it is idle: nothing was sent, so nothing is lost.
#[tokio::test]
async fn an_idle_connection_that_was_closed_is_replaced() {
    let Some(bench) = Bench::start().await else { return };
    let record = bench.store.load(&bench.id).await.unwrap().unwrap();
    bench.redis.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    let connections = bench.proxy.counts().connections;
    // The driver notices it by then.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let updated = bench.store.update(&bench.id, &one_more(&record), LONG).await;
    assert_eq!(updated.unwrap(), Updated::Applied { renewed: true });
    assert_eq!(bench.proxy.counts().connections, connections + 1);
}

#[tokio::test]
async fn r10_calls_into_a_black_hole_end_in_time() {
    let Some(bench) = Bench::start().await else { return };
    let Bench { proxy, store, id, .. } = &bench;
    let record = store.load(id).await.unwrap().unwrap();
    proxy.black_hole();
    assert_eq!(kind(within(LIMIT, store.update(id, &one_more(&record), LONG)).await), Some(Unknown));
    // Now there is no connection, and a new one cannot be made.
    assert_eq!(kind(within(LIMIT, store.update(id, &one_more(&record), LONG)).await), Some(Unavailable));
    assert_eq!(kind(within(LIMIT, store.load(id)).await), Some(Unavailable));
    proxy.heal().await;
    bench.recovers().await;
}

#[tokio::test]
async fn r10_a_half_open_connection_is_replaced() {
    let Some(bench) = Bench::start().await else { return };
    let Bench { proxy, store, id, .. } = &bench;
    let record = store.load(id).await.unwrap().unwrap();
    proxy.half_open();
    assert_eq!(kind(within(LIMIT, store.update(id, &one_more(&record), LONG)).await), Some(Unknown));
    assert_eq!(
        within(LIMIT, store.update(id, &one_more(&record), LONG)).await.unwrap(),
        Updated::Applied { renewed: true }
    );
}

/// All connections hang, and the first load is still answered: it is sent again on a new connection.
#[tokio::test]
async fn a_load_on_a_half_open_connection_is_answered_within_its_limit() {
    let Some(bench) = Bench::start().await else { return };
    let url = format!("redis://{}", bench.proxy.address());
    // Long enough for a busy machine.
    let options = RedisStore::options().connections(4).time_limit(10 * LIMIT);
    let store = options.connect(&url).await.unwrap();
    for _ in 0..4 {
        assert!(store.load(&bench.id).await.unwrap().is_some());
    }
    bench.proxy.half_open();
    let connections = bench.proxy.counts().connections;
    assert!(store.load(&bench.id).await.unwrap().is_some());
    for _ in 0..8 {
        assert!(store.load(&bench.id).await.unwrap().is_some());
    }
    assert_eq!(bench.proxy.counts().connections - connections, 4, "each connection is replaced once");
}

/// The middleware may have a shorter time limit than the store. Then the store never reaches its own.
#[tokio::test]
async fn a_hanging_connection_is_replaced_after_its_call_was_dropped() {
    let Some(bench) = Bench::start().await else { return };
    let record = bench.store.load(&bench.id).await.unwrap().unwrap();
    bench.proxy.half_open();
    let connections = bench.proxy.counts().connections;
    let touch = bench.store.touch(&bench.id, record.epoch, LONG);
    assert!(tokio::time::timeout(LIMIT * 2 / 3, touch).await.is_err(), "no answer comes");
    assert!(bench.store.load(&bench.id).await.unwrap().is_some());
    assert_eq!(bench.proxy.counts().connections - connections, 1);
}

/// The callers check whether the host name stands for another machine by now, but each caller does not connect by itself.
#[tokio::test]
async fn many_callers_make_few_connections_to_a_demoted_server() {
    let Some(bench) = Bench::start().await else { return };
    bench.redis.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let connections = bench.proxy.counts().connections;
    let mut crowd = JoinSet::new();
    for _ in 0..200 {
        let (store, id) = (bench.store.clone(), bench.id.clone());
        crowd.spawn(async move { kind(store.touch(&id, super::new_record().epoch, LONG).await) });
    }
    while let Some(answer) = crowd.join_next().await {
        let answer = answer.unwrap();
        // The last attempt may be under way when the time limit is reached.
        assert!(matches!(answer, Some(Unavailable | Unknown)), "{answer:?}");
    }
    let made = bench.proxy.counts().connections - connections;
    assert!(made <= 10, "{made}");
    bench.redis.command(&["REPLICAOF", "NO", "ONE"]);
    bench.recovers().await;
}

#[tokio::test]
async fn a_call_to_an_unreachable_server_is_unavailable() {
    let Some(bench) = Bench::start().await else { return };
    let Bench { proxy, store, id, .. } = &bench;
    let record = store.load(id).await.unwrap().unwrap();
    proxy.refuse().await;
    proxy.reset();
    // The first write may be under way at the reset.
    let first = kind(within(LIMIT, store.update(id, &one_more(&record), LONG)).await);
    assert!(matches!(first, Some(Unknown | Unavailable)), "{first:?}");
    assert_eq!(kind(within(LIMIT, store.update(id, &one_more(&record), LONG)).await), Some(Unavailable));
    assert_eq!(kind(within(LIMIT, store.load(id)).await), Some(Unavailable));
    assert_eq!(kind(within(LIMIT, store.generation(&RawJson::new(b"1"))).await), Some(Unavailable));
    proxy.heal().await;
    bench.recovers().await;
}

#[tokio::test]
async fn calls_succeed_on_a_slow_network() {
    let Some(bench) = Bench::start().await else { return };
    bench.proxy.latency(LIMIT / 10, LIMIT / 10);
    for _ in 0..3 {
        assert_eq!(increment(&bench.store, &bench.id).await.unwrap(), Updated::Applied { renewed: true });
    }
    assert_eq!(bench.hits().await, 3);
}

#[tokio::test]
async fn r10_calls_to_a_frozen_server_end_in_time() {
    let Some(bench) = Bench::start().await else { return };
    let Bench { redis, proxy, store, id } = &bench;
    let record = store.load(id).await.unwrap().unwrap();
    redis.stop();
    assert_eq!(kind(within(LIMIT, store.update(id, &one_more(&record), LONG)).await), Some(Unknown));
    assert_eq!(kind(within(LIMIT, store.load(id)).await), Some(Unavailable));
    let url = format!("redis://{}", proxy.address());
    assert!(within(LIMIT, RedisStore::options().time_limit(LIMIT).connect(&url)).await.is_err());
    redis.resume();
    bench.recovers().await;
}

#[tokio::test]
async fn calls_wait_for_a_server_that_loads_its_data() {
    let options = Redis::options().setting("key-load-delay", "3000");
    let options = options.setting("loading-process-events-interval-bytes", "1024");
    let Some(mut redis) = options.start("a server that loads") else { return };
    let options = RedisStore::options().time_limit(Duration::from_secs(30));
    let store = options.connect(&redis.url()).await.unwrap();
    let id = stored(&store).await;
    for number in 0..600 {
        redis.command(&["SET", &format!("other:{number}"), &"x".repeat(2000)]);
    }
    redis.command(&["SAVE"]);
    redis.kill();
    let (asking, waiting) = (store.clone(), id.clone());
    let answer = tokio::spawn(async move { increment(&asking, &waiting).await });
    let redis = tokio::task::spawn_blocking(move || {
        redis.restart();
        redis
    });
    let redis = redis.await.unwrap();
    assert_eq!(answer.await.unwrap().unwrap(), Updated::Applied { renewed: true });
    assert_eq!(hits(&store.load(&id).await.unwrap().unwrap()), 1);
    let errors = redis.command(&["INFO", "errorstats"]).text();
    assert!(errors.contains("errorstat_LOADING"), "{errors}");
}

#[tokio::test]
async fn a_server_that_refuses_writes_is_unavailable() {
    let Some(bench) = Bench::start().await else { return };
    let Bench { redis, store, id, .. } = &bench;
    let record = store.load(id).await.unwrap().unwrap();
    redis.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert_eq!(kind(within(LIMIT, store.update(id, &one_more(&record), LONG)).await), Some(Unavailable));
    assert!(store.load(id).await.unwrap().is_some());
    redis.command(&["CONFIG", "SET", "min-replicas-to-write", "0"]);

    // The server becomes a replica of a primary that does not exist.
    redis.command(&["CONFIG", "SET", "replica-serve-stale-data", "no"]);
    redis.command(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(kind(within(LIMIT, store.update(id, &one_more(&record), LONG)).await), Some(Unavailable));
    assert_eq!(kind(within(LIMIT, store.load(id)).await), Some(Unavailable));
    assert_eq!(kind(within(LIMIT, store.len()).await), Some(Unavailable));
    redis.command(&["CONFIG", "SET", "replica-serve-stale-data", "yes"]);
    assert_eq!(kind(within(LIMIT, store.update(id, &one_more(&record), LONG)).await), Some(Unavailable));

    let (asking, waiting) = (store.clone(), id.clone());
    let late = tokio::spawn(async move { asking.update(&waiting, &one_more(&record), LONG).await });
    redis.command(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(late.await.unwrap().unwrap(), Updated::Applied { renewed: true });
}

/// The versions of Redis word an error inside a script differently.
#[tokio::test]
async fn r14_a_server_without_memory_is_full_and_still_destroys_sessions() {
    for version in http_session_test_kit::servers::redis_versions("a server without memory") {
        let redis = Redis::options().version(&version).start("a server without memory").unwrap();
        let store = RedisStore::options().time_limit(LIMIT).connect(&redis.url()).await.unwrap();
        let (id, other) = (stored(&store).await, stored(&store).await);
        let record = store.load(&id).await.unwrap().unwrap();
        let _ = store.update(&other, &write(&record, &super::NOTE, b"123"), LONG).await.unwrap();
        redis.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
        let before = redis.command(&["DUMP", &format!("session:s:{}", id.as_str())]);
        assert_eq!(kind(store.insert(&new_id(), &super::new_record(), LONG).await), Some(Full), "{}", version.name);
        assert_eq!(kind(store.update(&id, &write(&record, &super::NOTE, &[b'x'; 10_000]), LONG).await), Some(Full));
        assert_eq!(kind(store.link(&RawJson::new(b"1"), &id, DAY).await), Some(Full));
        assert_eq!(redis.command(&["DUMP", &format!("session:s:{}", id.as_str())]), before);
        assert!(store.load(&id).await.unwrap().is_some());
        assert_eq!(store.destroy(&id, Some(record.epoch)).await.unwrap(), Destroyed::Destroyed);
        assert!(store.load(&id).await.unwrap().unwrap().is_tombstone());
        // A write that does not grow the record succeeds: sessions continue, and users can sign out.
        let mut leaving = write(&store.load(&other).await.unwrap().unwrap(), &super::NOTE, b"1");
        leaving.identity = IdentityChange::Removed;
        leaving.clear = Clear::Identity;
        assert_eq!(store.touch(&other, record.epoch, LONG).await.unwrap(), Touched::Applied);
        assert_eq!(store.update(&other, &leaving, LONG).await.unwrap(), Updated::Applied { renewed: true });
        // "Log out everywhere" works too.
        let ada = RawJson::new(b"1");
        for generation in [Generation(7), Generation(u64::MAX)] {
            store.raise_generation(&ada, generation).await.unwrap();
            assert_eq!(store.generation(&ada).await.unwrap(), generation, "{}", version.name);
        }
        store.unlink(&ada, &id).await.unwrap();
        redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
        assert_eq!(store.touch(&other, record.epoch, LONG).await.unwrap(), Touched::Applied);
        // As a replica. Redis 6.2 puts the code in the middle of the text.
        redis.command(&["REPLICAOF", "127.0.0.1", "1"]);
        assert_eq!(kind(store.touch(&other, record.epoch, LONG).await), Some(Unavailable), "{}", version.name);
    }
}

/// A call that is dropped has happened completely or not at all, and answers on its connection still reach the right calls.
#[tokio::test]
async fn r9_calls_that_are_dropped_do_no_harm() {
    let Some(bench) = Bench::start().await else { return };
    // Long enough, on a busy machine too, that the store never gives up first.
    let options = RedisStore::options().connections(1).time_limit(Duration::from_secs(30));
    let store = options.connect(&format!("redis://{}", bench.proxy.address())).await.unwrap();
    let connections = bench.proxy.counts().connections;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(stored(&store).await);
    }
    for round in 0..times(2000) {
        let id = &ids[usize::try_from(round).unwrap() % ids.len()];
        let patience = Duration::from_micros(50 * (round % 20));
        let _ = tokio::time::timeout(patience, increment(&store, id)).await;
        if round % 50 == 0 {
            assert_eq!(increment(&store, &bench.id).await.unwrap(), Updated::Applied { renewed: true });
        }
    }
    assert_eq!(u64::try_from(bench.hits().await).unwrap(), times(2000).div_ceil(50));
    for id in &ids {
        let record = store.load(id).await.unwrap().unwrap();
        assert!(hits(&record) >= 0 && record.epoch == super::new_record().epoch);
    }
    assert_eq!(bench.proxy.counts().connections, connections, "no connection had to be replaced");
}

/// While the server is killed and restarted under many callers, every answer is true. Afterwards calls succeed.
#[tokio::test]
async fn calls_recover_from_a_server_that_is_killed_repeatedly() {
    let Some(mut redis) = Redis::options().durable().start("a server that is killed") else { return };
    let store = RedisStore::options().time_limit(LIMIT).connect(&redis.url()).await.unwrap();
    let id = stored(&store).await;
    let (mut applied, mut unknown) = (0, 0);
    for _ in 0..times(20).max(3) {
        let mut crowd = JoinSet::new();
        for _ in 0..20 {
            let (store, id) = (store.clone(), id.clone());
            crowd.spawn(async move { increment(&store, &id).await });
        }
        redis.kill();
        let mut kinds = HashSet::new();
        while let Some(answer) = crowd.join_next().await {
            match answer.unwrap() {
                Ok(_) => applied += 1,
                Err(error) => {
                    unknown += i64::from(error.kind() == Unknown);
                    kinds.insert(error.kind());
                }
            }
        }
        assert!(kinds.iter().all(|kind| matches!(kind, Unknown | Unavailable)), "{kinds:?}");
        redis.restart();
        recovered(async || store.load(&id).await).await;
    }
    let counted = hits(&store.load(&id).await.unwrap().unwrap());
    assert!((applied..=applied + unknown).contains(&counted), "{applied} {unknown} {counted}");
}
