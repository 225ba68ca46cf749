//! That the servers start, die and come back.

use std::time::Duration;

use super::redis::Connection;
use super::{
    Cluster, PgBouncer, Postgres, Proxy, Redis, Reply, Sentinel, Shared, pgbouncer, postgres, postgres_versions, psql,
    redis, redis_cluster, redis_sentinel, redis_versions, url_through, wait_until,
};

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}

/// Writes a key, and waits until a replica has it: a master that is killed before that takes it along.
fn replicate(server: &Redis, key: &str, value: &str) {
    let mut connection = Connection::open(server.address()).unwrap();
    assert_eq!(connection.command(&["SET", key, value]).unwrap(), Reply::Simple("OK".to_owned()));
    assert_eq!(connection.command(&["WAIT", "1", "4000"]).unwrap(), Reply::Integer(1));
}

#[test]
fn the_hosts_of_a_url_are_replaced() {
    let proxy = "127.0.0.1:1".parse().unwrap();
    assert_eq!(url_through("redis://127.0.0.1:6379", proxy), "redis://127.0.0.1:1");
    assert_eq!(url_through("rediss://:p%40ss@h:1/3?x=a@b", proxy), "rediss://:p%40ss@127.0.0.1:1/3?x=a@b");
    assert_eq!(url_through("postgres://u:p@a:1,b:2/db", proxy), "postgres://u:p@127.0.0.1:1/db");
}

#[tokio::test]
async fn one_redis_and_one_postgres_are_shared_and_can_be_reached_through_a_proxy() {
    let Some(server) = redis("a shared redis") else { return };
    assert_eq!(Some(server.url()), redis("a shared redis").as_ref().map(Shared::url));
    let proxy = Proxy::to(server.address()).await;
    assert!(server.url_through(proxy.address()).contains(&proxy.address().to_string()));
    let mut connection = Connection::open(proxy.address()).unwrap();
    // The one of the variable may want a password first.
    assert!(connection.command(&["PING"]).is_ok() && connection.command(&["PING"]).is_ok());
    let counts = proxy.counts();
    assert_eq!((counts.connections, counts.round_trips), (1, 2));

    let Some(server) = postgres("a shared postgres") else { return };
    assert_eq!(Some(server.url()), postgres("a shared postgres").as_ref().map(Shared::url));
}

#[test]
fn a_cluster_and_sentinels_and_pgbouncer_are_shared_too() {
    // Those of variables may want a password first.
    for server in [redis_cluster("a shared cluster"), redis_sentinel("shared sentinels")].into_iter().flatten() {
        assert!(Connection::open(server.address()).unwrap().command(&["PING"]).is_ok());
    }
    let Some(server) = pgbouncer("a shared pgbouncer") else { return };
    assert_eq!(psql(server.url(), "select 1").as_deref(), Ok("1"));
}

#[test]
fn a_durable_redis_keeps_its_data_over_kills() {
    let Some(mut server) = Redis::options().durable().start("redis, killed") else { return };
    let port = server.port();
    assert_eq!(server.command(&["SET", "key", "value"]), Reply::Simple("OK".to_owned()));
    server.kill();
    assert!(server.try_command(&["PING"]).is_err());
    server.restart();
    assert_eq!((server.command(&["GET", "key"]), server.port()), (bulk("value"), port));
}

#[test]
fn a_stopped_redis_answers_after_it_is_resumed() {
    let Some(server) = Redis::start("redis, stopped") else { return };
    let mut connection = Connection::open(server.address()).unwrap();
    connection.command(&["SET", "key", "value"]).unwrap();
    server.stop();
    let asked = std::thread::spawn(move || connection.command(&["GET", "key"]).unwrap());
    std::thread::sleep(Duration::from_millis(50));
    assert!(!asked.is_finished());
    server.resume();
    assert_eq!(asked.join().unwrap(), bulk("value"));
}

#[test]
fn redis_takes_its_options() {
    let options = Redis::options().password("secret").tls().max_memory("1mb");
    let Some(server) = options.start("redis with a password and tls") else { return };
    assert!(server.url().starts_with("rediss://:secret@127.0.0.1:"));
    assert!(std::fs::read_to_string(server.authority().unwrap()).unwrap().contains("BEGIN CERTIFICATE"));
    let refused = server.command(&["SET", "key", &"x".repeat(2 << 20)]);
    assert!(refused.text().starts_with("OOM") || server.command(&["SET", "other", "x"]).text().starts_with("OOM"));

    let replica = Redis::options().password("secret").replica_of(&server).start("a replica").unwrap();
    replica.wait_for_replication();
    assert!(replica.command(&["SET", "key", "x"]).text().starts_with("READONLY"));
}

#[test]
fn every_redis_starts() {
    for version in redis_versions("versions of redis") {
        let server = Redis::options().version(&version).start("a version of redis").unwrap();
        assert!(server.command(&["INFO", "server"]).text().contains(&format!("redis_version:{}", version.name)));
    }
}

#[test]
fn every_postgres_starts_and_keeps_its_data_over_kills() {
    for version in postgres_versions("versions of postgres, killed") {
        let mut server = Postgres::options().version(&version).start("a version of postgres").unwrap();
        let said = server.sql("create table t(a int); insert into t values (1); show server_version");
        assert_eq!(said.split(' ').next(), Some(&*version.name));
        server.kill();
        assert!(psql(&server.url(), "select 1").is_err());
        let port = server.port();
        server.restart();
        assert_eq!((server.sql("select a from t"), server.port()), ("1".to_owned(), port));
    }
}

#[test]
fn postgres_takes_its_options() {
    let options = Postgres::options().password("secret").tls().durable().max_connections(7);
    let Some(server) = options.start("postgres with a password and tls") else { return };
    let tls = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    assert_eq!(server.sql(&format!("show max_connections; show fsync; {tls}")), "7\non\nt");
    assert!(std::fs::read_to_string(server.authority().unwrap()).unwrap().contains("BEGIN CERTIFICATE"));
}

#[test]
fn a_stopped_postgres_answers_after_it_is_resumed() {
    let Some(server) = Postgres::start("postgres, stopped") else { return };
    server.stop();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| server.sql("select 1"));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!asked.is_finished());
        server.resume();
        assert_eq!(asked.join().unwrap(), "1");
    });
}

#[test]
fn a_standby_refuses_writes() {
    let Some(server) = Postgres::start("a standby of postgres") else { return };
    server.sql("create table t(a int); insert into t values (1)");
    let standby = server.standby();
    assert_eq!(standby.sql("select a from t"), "1");
    assert!(psql(&standby.url(), "insert into t values (2)").unwrap_err().contains("read-only"));
}

#[test]
fn pgbouncer_gives_a_server_for_a_transaction() {
    let Some(bouncer) = PgBouncer::start("pgbouncer") else { return };
    // Without a query to end sessions with, what one client sets is left to the next.
    psql(&bouncer.url(), "set work_mem = '77kB'").unwrap();
    assert_eq!(psql(&bouncer.url(), "show work_mem").as_deref(), Ok("77kB"));
    let connections = "select count(*) from pg_stat_activity where backend_type = 'client backend'";
    assert_eq!(bouncer.postgres().sql(connections), "2", "one for three clients, and this one");
}

#[test]
fn a_slot_of_a_cluster_moves_and_a_killed_master_is_replaced() {
    let Some(mut cluster) = Cluster::start("redis cluster") else { return };
    let slot = cluster.slot_of("{visit}a");
    let from = cluster.master_of(slot).unwrap();
    for key in ["{visit}a", "{visit}b"] {
        assert_eq!(cluster.node(from).command(&["SET", key, key]), Reply::Simple("OK".to_owned()));
    }
    let to = (0..6).find(|node| *node != from && cluster.is_master(*node)).unwrap();
    assert!(cluster.node(to).command(&["GET", "{visit}a"]).text().starts_with("MOVED "));

    let migration = cluster.begin_migration(slot, to);
    assert_eq!(migration.move_keys(1), 1);
    let answers = ["{visit}a", "{visit}b"].map(|key| cluster.node(from).command(&["GET", key]).text());
    assert_eq!(answers.iter().filter(|answer| answer.starts_with("ASK ")).count(), 1, "{answers:?}");
    migration.finish();
    assert_eq!(cluster.node(to).command(&["GET", "{visit}a"]), bulk("{visit}a"));

    replicate(cluster.node(to), "{visit}c", "c");
    assert_eq!(cluster.kill_master_of(slot), to);
    wait_until("the replica takes over", || cluster.master_of(slot).is_some());
    let replica = cluster.master_of(slot).unwrap();
    assert_eq!(cluster.node(replica).command(&["GET", "{visit}b"]), bulk("{visit}b"));
    cluster.restart(to);
    cluster.wait_until_whole();
    assert!(!cluster.is_master(to));
}

#[test]
fn sentinels_replace_a_master() {
    let Some(mut set) = Sentinel::start("redis with sentinels") else { return };
    let first = set.master();
    replicate(set.node(first), "key", "value");
    set.failover();
    assert_eq!(set.master(), 1 - first);
    assert_eq!(set.node(1 - first).command(&["GET", "key"]), bulk("value"));
    set.wait_until_whole();
    assert_eq!(set.kill_master(), 1 - first);
    assert_eq!(set.master(), first);
    set.restart(1 - first);
}
