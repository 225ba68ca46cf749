//! A cluster: slots that move, servers that fail, and writes that are not sent again after a lost answer.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_session::error::StoreErrorKind::{Unavailable, Unknown};
use http_session::record::RawJson;
use http_session::store::{EnumerateSessions as _, Generation, Ids, IndexSessions as _, Inserted, Updated};
use http_session::{SessionId, SessionStore as _};
use http_session_redis::RedisStore;
use tokio::task::JoinSet;

use super::{DAY, LONG, hits, increment, kind, new_id, new_record, one_more, recovered, stored};
use http_session_test_kit::servers::{Cluster, Proxy, Reply, wait_until};

/// Ids whose keys are in one slot.
fn in_one_slot(count: usize) -> Vec<SessionId> {
    let tag = new_id();
    (0..count).map(|number| SessionId::try_from(format!("{{{}}}{number}", tag.as_str()).as_str()).unwrap()).collect()
}

fn slot_of(cluster: &Cluster, id: &SessionId) -> u16 {
    cluster.slot_of(&format!("session:s:{}", id.as_str()))
}

/// A master without the slot.
fn another_master(cluster: &Cluster, slot: u16) -> usize {
    let master = cluster.master_of(slot).unwrap();
    (0..6).find(|node| *node != master && cluster.is_master(*node)).unwrap()
}

/// The port of the slot's master, according to one node.
fn owner(cluster: &Cluster, node: usize, slot: u16) -> Option<i64> {
    let Reply::Array(ranges) = cluster.node(node).command(&["CLUSTER", "SLOTS"]) else { return None };
    ranges.iter().find_map(|range| {
        let Reply::Array(range) = range else { return None };
        match range.as_slice() {
            [Reply::Integer(first), Reply::Integer(last), Reply::Array(master), ..]
                if (*first..=*last).contains(&i64::from(slot)) =>
            {
                let Some(Reply::Integer(port)) = master.get(1) else { return None };
                Some(*port)
            }
            _ => None,
        }
    })
}

async fn named(store: &RedisStore) -> HashSet<SessionId> {
    let (mut ids, mut named) = (Ids::of(store), HashSet::new());
    while let Some(id) = ids.next().await.unwrap() {
        named.insert(id);
    }
    named
}

/// The slot's server is behind a proxy, and announces the port of the proxy.
#[tokio::test]
async fn r10_a_write_to_a_cluster_is_not_sent_again_after_a_lost_answer() {
    let Some(cluster) = Cluster::start("a lost answer of a cluster") else { return };
    let id = new_id();
    let slot = slot_of(&cluster, &id);
    let master = cluster.master_of(slot).unwrap();
    let proxy = Proxy::to(cluster.node(master).address()).await;
    let port = proxy.address().port().to_string();
    cluster.node(master).command(&["CONFIG", "SET", "cluster-announce-port", &port]);
    wait_until("all know the proxy", || {
        (0..6).all(|node| cluster.node(node).command(&["CLUSTER", "SLOTS"]).text().contains(&port))
    });

    let store = RedisStore::connect(&cluster.url()).await.unwrap();
    assert_eq!(store.insert(&id, &new_record(), LONG).await.unwrap(), Inserted::Inserted);
    let loaded = store.load(&id).await.unwrap().unwrap();
    proxy.drop_replies_to(id.as_str(), 1);
    assert_eq!(kind(store.update(&id, &one_more(&loaded), LONG).await), Some(Unknown));
    assert_eq!(proxy.replies_to_drop(), 0);
    let stats = cluster.node(master).command(&["INFO", "commandstats"]).text();
    assert!(stats.contains("cmdstat_evalsha:calls=2,"), "an insert and an update: {stats}");
    assert_eq!(hits(&store.load(&id).await.unwrap().unwrap()), 1);

    // A read is sent again.
    proxy.drop_replies_to("HGETALL", 1);
    assert!(store.load(&id).await.unwrap().is_some());
    assert_eq!(proxy.replies_to_drop(), 0);
}

#[tokio::test]
async fn sessions_are_found_while_their_slot_moves() {
    let Some(cluster) = Cluster::start("a slot that moves") else { return };
    let store = RedisStore::connect(&cluster.url()).await.unwrap();
    let ids = in_one_slot(20);
    for id in &ids {
        let _ = store.insert(id, &new_record(), LONG).await.unwrap();
    }
    let slot = slot_of(&cluster, &ids[0]);
    let migration = cluster.begin_migration(slot, another_master(&cluster, slot));
    assert_eq!(migration.move_keys(10), 10);
    // Now some sessions are on the old server and some on the new one. New sessions begin on the new one.
    for id in &ids {
        assert_eq!(increment(&store, id).await.unwrap(), Updated::Applied { renewed: true });
    }
    let new = SessionId::try_from(format!("{}x", ids[0].as_str()).as_str()).unwrap();
    assert_eq!(store.insert(&new, &new_record(), LONG).await.unwrap(), Inserted::Inserted);
    assert_eq!(store.load(&new_id()).await.unwrap(), None);
    migration.finish();
    for id in &ids {
        assert_eq!(increment(&store, id).await.unwrap(), Updated::Applied { renewed: true });
        assert_eq!(hits(&store.load(id).await.unwrap().unwrap()), 2);
    }
    assert_eq!(named(&store).await.len(), 21);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r9_no_update_is_lost_while_slots_move() {
    let Some(cluster) = Cluster::start("slots that move under load") else { return };
    let store = RedisStore::options().time_limit(Duration::from_secs(30)).connect(&cluster.url()).await.unwrap();
    let ids = in_one_slot(10);
    for id in &ids {
        let _ = store.insert(id, &new_record(), LONG).await.unwrap();
    }
    let (stop, mut writers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for id in ids.clone() {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        writers.spawn(async move {
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                let answer = increment(&store, &id).await;
                let source = answer.as_ref().err().and_then(|error| std::error::Error::source(error));
                assert!(matches!(answer, Ok(Updated::Applied { .. })), "{answer:?} {source:?}");
                count += 1;
            }
            (id, count)
        });
    }
    let slot = slot_of(&cluster, &ids[0]);
    let moving = tokio::task::spawn_blocking(move || {
        for _ in 0..4 {
            let migration = cluster.begin_migration(slot, another_master(&cluster, slot));
            while migration.move_keys(1) > 0 {}
            migration.finish();
            wait_until("all nodes agree who has the slot", || {
                let owners: HashSet<_> = (0..6).map(|node| owner(&cluster, node, slot)).collect();
                owners.len() == 1
            });
        }
        cluster
    });
    let _cluster = moving.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = writers.join_next().await {
        let (id, count) = ended.unwrap();
        assert!(count > 0);
        assert_eq!(hits(&store.load(&id).await.unwrap().unwrap()), count);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_takes_over() {
    let Some(mut cluster) = Cluster::start("a failover of a cluster") else { return };
    let limit = Duration::from_secs(1);
    let store = RedisStore::options().time_limit(limit).connect(&cluster.url()).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(stored(&store).await);
    }
    let page = store.ids(None, 5).await.unwrap();
    let (stop, mut writers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for id in ids.clone() {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        writers.spawn(async move {
            let mut kinds = HashSet::new();
            while !stop.load(Ordering::Relaxed) {
                if let Err(error) = super::within(2 * limit, increment(&store, &id)).await {
                    kinds.insert(error.kind());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            kinds
        });
    }
    let slot = slot_of(&cluster, &ids[0]);
    // A record that has not been copied to a replica would be lost.
    wait_until("each record is on two servers", || {
        let sizes = (0..cluster.addresses().len()).map(|node| match cluster.node(node).command(&["DBSIZE"]) {
            Reply::Integer(size) => size,
            other => panic!("{other:?}"),
        });
        sizes.sum::<i64>() == 2 * 60
    });
    let killed = cluster.kill_master_of(slot);
    // All sessions can be written again, including those of the killed server.
    for id in &ids {
        let _ = recovered(async || increment(&store, id).await).await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = writers.join_next().await {
        let kinds = ended.unwrap();
        assert!(kinds.iter().all(|kind| matches!(kind, Unknown | Unavailable)), "{kinds:?}");
    }

    // The new master has no scripts. A cursor from before the failover starts again, so all sessions are listed.
    let mut all: HashSet<SessionId> = page.ids.into_iter().collect();
    let mut next = page.next;
    while let Some(cursor) = next {
        let page = store.ids(Some(&cursor), 1000).await.unwrap();
        all.extend(page.ids);
        next = page.next;
    }
    assert!(ids.iter().all(|id| all.contains(id)));
    assert_eq!(store.len().await.unwrap(), ids.len());

    cluster.restart(killed);
    cluster.wait_until_whole();
    for id in &ids {
        assert_eq!(increment(&store, id).await.unwrap(), Updated::Applied { renewed: true });
    }
    store.clear().await.unwrap();
    assert_eq!(store.len().await.unwrap(), 0);
}

/// The other shards serve their sessions, even to a process that starts now.
#[tokio::test]
async fn a_cluster_with_a_missing_shard_can_be_opened() {
    let Some(cluster) = Cluster::start("a cluster without a shard") else { return };
    let id = new_id();
    let slot = slot_of(&cluster, &id);
    let of_the_other = cluster.master_of((slot + 8192) % 16_384).unwrap();
    for node in 0..6 {
        cluster.node(node).command(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
        cluster.node(node).command(&["CONFIG", "SET", "cluster-replica-no-failover", "yes"]);
    }
    cluster.node(of_the_other).stop();
    let store = RedisStore::options().time_limit(Duration::from_secs(3)).connect(&cluster.url()).await.unwrap();
    let inserted = recovered(async || store.insert(&id, &new_record(), LONG).await).await;
    assert_eq!(inserted, Inserted::Inserted);
    cluster.node(of_the_other).resume();
}

/// While the slot moves, each key of an index may be on either server. A key that does not exist is on neither.
#[tokio::test]
async fn r28_an_index_works_while_its_slot_moves() {
    let Some(cluster) = Cluster::start("an index whose slot moves") else { return };
    let store = RedisStore::connect(&cluster.url()).await.unwrap();
    for (has_sessions, is_raised, moved) in [
        (false, false, 0),
        (true, false, 0),
        (false, true, 0),
        (true, true, 0),
        (true, true, 1),
        (true, false, 1),
        (false, true, 1),
        (true, true, 2),
    ] {
        let case = format!("sessions: {has_sessions}, raised: {is_raised}, moved: {moved}");
        let (mark, old, new) = (new_id(), new_id(), new_id());
        let ada = RawJson::new(mark.as_bytes());
        let mut expected = HashSet::from([new.clone()]);
        if has_sessions {
            let _ = store.link(&ada, &old, DAY).await.unwrap();
            expected.insert(old.clone());
        }
        if is_raised {
            store.raise_generation(&ada, Generation(7)).await.unwrap();
        }
        let slot = cluster.slot_of(&format!("session:{{user:{}}}:sessions", mark.as_str()));
        let migration = cluster.begin_migration(slot, another_master(&cluster, slot));
        migration.move_keys(moved);

        let generation = if is_raised { Generation(7) } else { Generation::NONE };
        assert_eq!(store.link(&ada, &new, DAY).await.unwrap(), generation, "{case}");
        let linked = store.linked(&ada, None, 9).await.unwrap();
        assert_eq!(linked.iter().cloned().collect::<HashSet<_>>(), expected, "{case}");
        assert!(linked.is_sorted_by_key(SessionId::as_bytes), "{case}");
        store.unlink(&ada, &new).await.unwrap();
        // As `destroy_all_of` begins.
        store.raise_generation(&ada, Generation(8)).await.unwrap();
        assert_eq!(store.generation(&ada).await.unwrap(), Generation(8), "{case}");
        assert_eq!(store.linked(&ada, None, 9).await.unwrap().len(), expected.len(), "{case}");

        migration.finish();
        assert_eq!(store.generation(&ada).await.unwrap(), Generation(8), "{case}");
        let linked = store.linked(&ada, None, 9).await.unwrap();
        assert_eq!(linked.into_iter().collect::<HashSet<_>>(), expected, "{case}");
    }
}

/// The keys of an identity are in one slot, whatever its bytes are.
#[tokio::test]
async fn r28_any_identity_has_an_index_in_a_cluster() {
    let Some(cluster) = http_session_test_kit::servers::redis_cluster("identities in a cluster") else { return };
    let store = RedisStore::connect(cluster.url()).await.unwrap();
    let (id, mark) = (new_id(), new_id());
    for strange in ["", "}", "{", "{}", "}{", "a}b", "\0", "{\"id\":1}", "é"] {
        let identity = RawJson::new(format!("{strange}{}", mark.as_str()).as_bytes());
        let _ = store.link(&identity, &id, DAY).await.unwrap();
        assert_eq!(store.linked(&identity, None, 9).await.unwrap(), std::slice::from_ref(&id), "{strange}");
        store.unlink(&identity, &id).await.unwrap();
    }
}
