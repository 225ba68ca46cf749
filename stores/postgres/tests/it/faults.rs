//! A network that breaks, and a server that stops or dies: what the calls return, how long they take, and that they recover.

use std::time::{Duration, Instant};

use http_session::error::StoreErrorKind::{self, Unavailable, Unknown};
use http_session::record::{Record, VerifierChange, VerifierHash};
use http_session::store::{Destroyed, Inserted, Touched, Updated};
use http_session::{SessionId, SessionStore as _};
use http_session_postgres::driver::tokio_postgres;
use http_session_postgres::{PostgresOptions, PostgresStore};

use super::{APPLIED, LIFETIME, PATIENCE, Table, id, inserted, note, noting, record, with};
use http_session_test_kit::servers::{self, PgBouncer, Postgres, Proxy};
use http_session_test_kit::times;

const LIMIT: Duration = Duration::from_millis(300);
/// How long a call with that time limit may take on a machine under load.
const SOON: Duration = Duration::from_secs(10);

/// The result of a call, which must come soon.
async fn soon<T>(call: impl Future<Output = Result<T, http_session::error::StoreError>>) -> Result<T, StoreErrorKind> {
    let start = Instant::now();
    let answer = call.await.map_err(|error| error.kind());
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    answer
}

/// Loads until the store has recovered by itself.
async fn recovers(store: &PostgresStore, id: &SessionId) -> Record {
    let start = Instant::now();
    loop {
        match store.load(id).await {
            Ok(record) => return record.unwrap(),
            Err(error) => assert!(start.elapsed() < Duration::from_secs(60), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A session, through a proxy.
struct Scene {
    table: Table,
    proxy: Proxy,
    store: PostgresStore,
    id: SessionId,
    record: Record,
}

async fn scene(purpose: &str, options: impl FnOnce(PostgresOptions) -> PostgresOptions) -> Option<Scene> {
    let server = servers::postgres(purpose)?;
    let (table, proxy) = (Table::new(&server), Proxy::to(server.address()).await);
    table.open().await;
    let options = options(table.options().time_limit(LIMIT).existing_table());
    // Connecting may take longer than the limit on a machine under load.
    let url = server.url_through(proxy.address());
    let store = loop {
        if let Ok(store) = options.clone().connect(&url).await {
            break store;
        }
    };
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    let record = store.load(&id).await.unwrap().unwrap();
    Some(Scene { table, proxy, store, id, record })
}

#[tokio::test]
async fn r10_a_write_whose_answer_is_lost_is_unknown_and_happens_once() {
    for prepared in [false, true] {
        let options = |options: PostgresOptions| {
            let options = options.connections(1).time_limit(PATIENCE);
            if prepared { options.prepared() } else { options }
        };
        let Some(scene) = scene("lost answers of PostgreSQL", options).await else { return };
        let Scene { table, proxy, store, id, record } = &scene;
        let rotate = |number| {
            let hash = VerifierHash([number; 32]);
            with(noting(record, b"1"), |patch| patch.verifier = VerifierChange::Rotate(hash))
        };
        if prepared {
            let warm = with(rotate(8), |patch| patch.epoch = record.epoch.next());
            assert_eq!(store.update(id, &warm, LIFETIME).await.unwrap(), Updated::Superseded);
        }

        let patch = rotate(9);
        proxy.drop_replies_to(id.as_str(), 1);
        assert_eq!(soon(store.update(id, &patch, LIFETIME)).await, Err(Unknown));
        assert_eq!(proxy.replies_to_drop(), 0);
        let now = store.load(id).await.unwrap().unwrap();
        assert_eq!((now.epoch, now.verifier), (record.epoch.next(), VerifierHash([9; 32])));

        proxy.drop_replies_to(id.as_str(), 1);
        assert_eq!(soon(store.touch(id, now.epoch, LIFETIME)).await, Err(Unknown));
        proxy.drop_replies_to(id.as_str(), 1);
        assert_eq!(soon(store.destroy(id, None)).await, Err(Unknown));
        assert_eq!(store.destroy(id, None).await.unwrap(), Destroyed::Missing);
        let new = super::id();
        proxy.drop_replies_to(new.as_str(), 1);
        assert_eq!(soon(store.insert(&new, record, LIFETIME)).await, Err(Unknown));
        assert_eq!(store.insert(&new, record, LIFETIME).await.unwrap(), Inserted::Taken);
        assert_eq!(table.sql(&format!("select epoch from {} where id = '{}'", table.0, id.as_str())), "2");
    }
}

#[tokio::test]
async fn r10_a_load_whose_answer_is_lost_is_sent_again() {
    let Some(scene) = scene("lost loads of PostgreSQL", |options| options.time_limit(PATIENCE)).await else { return };
    let Scene { proxy, store, id, record, .. } = &scene;
    proxy.drop_replies_to(id.as_str(), 1);
    assert_eq!(soon(store.load(id)).await.unwrap().unwrap().fields, record.fields);
    assert_eq!(proxy.replies_to_drop(), 0);
    proxy.drop_replies_to(id.as_str(), 1000);
    assert_eq!(soon(store.load(id)).await, Err(Unavailable));
    assert!(proxy.replies_to_drop() > 900, "it was sent a few times, not for ever");
}

#[tokio::test]
async fn r18_no_call_waits_longer_than_its_time_limit_for_a_network_that_drops_everything() {
    let Some(scene) = scene("PostgreSQL in a black hole", |options| options.connections(2)).await else { return };
    let Scene { proxy, store, id, record, .. } = &scene;
    proxy.black_hole();
    assert_eq!(soon(store.load(id)).await, Err(Unavailable));
    // On connections that were open before, and on new ones.
    for _ in 0..4 {
        assert!(matches!(soon(store.update(id, &noting(record, b"1"), LIFETIME)).await, Err(Unknown | Unavailable)));
        assert!(matches!(soon(store.destroy(id, Some(record.epoch.next()))).await, Err(Unknown | Unavailable)));
    }
    proxy.heal().await;
    let now = recovers(store, id).await;
    assert_eq!(store.update(id, &noting(&now, b"2"), LIFETIME).await.unwrap(), APPLIED);
}

#[tokio::test]
async fn a_silent_connection_is_closed_after_one_call() {
    let Some(scene) = scene("half-open connections to PostgreSQL", |options| options.connections(1)).await else {
        return;
    };
    let Scene { proxy, store, id, record, .. } = &scene;
    proxy.half_open();
    assert_eq!(soon(store.update(id, &noting(record, b"lost"), LIFETIME)).await, Err(Unknown));
    let now = recovers(store, id).await;
    assert_eq!(now.fields, record.fields);
    proxy.half_open();
    // The request never arrived, which the store cannot know.
    assert_eq!(soon(store.load(id)).await, Err(Unavailable));
    recovers(store, id).await;
}

#[tokio::test]
async fn a_reset_is_noticed_and_a_refused_connection_is_definite() {
    let Some(scene) = scene("resets of connections to PostgreSQL", |options| options.time_limit(PATIENCE)).await else {
        return;
    };
    let Scene { proxy, store, id, record, .. } = &scene;
    for _ in 0..10 {
        proxy.reset();
        assert_eq!(soon(store.load(id)).await.unwrap().unwrap().fields, record.fields);
    }
    proxy.refuse().await;
    proxy.reset();
    assert_eq!(soon(store.load(id)).await, Err(Unavailable));
    // By now the store knows that the connection is gone.
    assert_eq!(soon(store.update(id, &noting(record, b"1"), LIFETIME)).await, Err(Unavailable));
    assert_eq!(soon(store.insert(&super::id(), record, LIFETIME)).await, Err(Unavailable));
    proxy.heal().await;
    assert_eq!(store.update(id, &noting(record, b"1"), LIFETIME).await.unwrap(), APPLIED);
}

#[tokio::test]
async fn a_slow_network_delays_calls() {
    let Some(scene) = scene("latency of PostgreSQL", |options| options.time_limit(PATIENCE)).await else { return };
    let Scene { proxy, store, id, record, .. } = &scene;
    proxy.latency(Duration::from_millis(40), Duration::from_millis(40));
    let start = Instant::now();
    assert_eq!(store.update(id, &noting(record, b"1"), LIFETIME).await.unwrap(), APPLIED);
    assert!(start.elapsed() >= Duration::from_millis(80));
}

/// If the statement changed nothing, a load finds out why.
#[tokio::test]
async fn r18_both_round_trips_of_a_call_share_its_time_limit() {
    let options = |options: PostgresOptions| options.connections(1).time_limit(Duration::from_secs(5));
    let Some(scene) = scene("the time of two round trips to PostgreSQL", options).await else { return };
    let Scene { proxy, store, id, record, .. } = &scene;
    let late = with(noting(record, b"1"), |patch| patch.epoch = record.epoch.next());
    assert_eq!(store.update(id, &late, LIFETIME).await.unwrap(), Updated::Superseded);
    proxy.latency(Duration::from_millis(1500), Duration::from_millis(1500));
    // Three seconds for each round trip. After the first it is known that nothing was written.
    assert_eq!(soon(store.update(id, &late, LIFETIME)).await, Err(Unavailable));
    proxy.latency(Duration::ZERO, Duration::ZERO);
    recovers(store, id).await;
    proxy.latency(Duration::from_millis(1500), Duration::from_millis(1500));
    assert_eq!(soon(store.touch(id, late.epoch, LIFETIME)).await, Err(Unavailable));
}

/// Another transaction holds the lock on the row for as long as it likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_no_call_waits_longer_than_its_time_limit_for_a_lock_and_the_server_gives_up_too() {
    let options = |options: PostgresOptions| options.connections(1).time_limit(Duration::from_secs(2));
    let Some(scene) = scene("locks in PostgreSQL", options).await else { return };
    let Scene { table, store, id, record, .. } = &scene;
    let mut client = table.client().await;
    let transaction = client.transaction().await.unwrap();
    transaction.execute(&format!("select 1 from {} for update", table.0), &[]).await.unwrap();

    let patch = noting(record, b"1");
    let waiting = format!(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%\"{}\"%'",
        table.0
    );
    let observer = table.client().await;
    let waits = async {
        while observer.query_one(&waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (first, second, waited) = tokio::join!(
        soon(store.update(id, &patch, LIFETIME)),
        // The only connection is in use.
        soon(store.touch(id, record.epoch, LIFETIME)),
        tokio::time::timeout(SOON, waits),
    );
    assert_eq!((first, second), (Err(Unknown), Err(Unavailable)));
    waited.expect("the server was waiting for the lock");
    servers::wait_until("the server has given up", || table.sql(&waiting) == "0");
    transaction.commit().await.unwrap();
    assert_eq!(note(store, id).await, "0");
    assert_eq!(store.update(id, &noting(record, b"2"), LIFETIME).await.unwrap(), APPLIED);
}

/// A dropped future leaves a whole write or none, and no other call receives its answer.
#[tokio::test]
async fn r9_a_dropped_call_leaves_all_or_nothing_and_no_answer_behind() {
    let options = |options: PostgresOptions| options.connections(2).time_limit(PATIENCE);
    let Some(scene) = scene("dropped calls to PostgreSQL", options).await else { return };
    let Scene { store, id, record, .. } = &scene;
    let other = super::id();
    inserted(store, &other, &super::record(b"other")).await;
    let (mut before, mut dropped) = ("0".to_owned(), 0);
    for number in 1..=times(300) {
        let ours = number.to_string();
        let patience = Duration::from_micros(rand::random_range(0..3000));
        let patch = noting(record, ours.as_bytes());
        match tokio::time::timeout(patience, store.update(id, &patch, LIFETIME)).await {
            Ok(answer) => assert_eq!(answer.unwrap(), APPLIED),
            Err(_) => dropped += 1,
        }
        assert_eq!(note(store, &other).await, "other");
        // The statement may still be running. After another write of the same row was answered, it has ended.
        let now = note(store, id).await;
        assert!(
            now == before || now == ours || now.parse::<u64>().unwrap() + 3 > number,
            "{now} of {before} and {ours}"
        );
        assert_eq!(store.touch(id, record.epoch, LIFETIME).await.unwrap(), Touched::Applied);
        before = note(store, id).await;
    }
    assert!(dropped > 0, "nothing was dropped");
}

/// Clients hang up during their load, or while a connection is opened for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_calls_leave_the_connections_to_others() {
    let options = |options: PostgresOptions| options.connections(10).time_limit(PATIENCE);
    let Some(scene) = scene("callers of PostgreSQL who hang up", options).await else { return };
    let Scene { proxy, store, id, record, .. } = &scene;
    // So that no call is done at its first poll.
    proxy.latency(Duration::from_millis(1), Duration::from_millis(1));
    let mut hasty = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (store, id) = (store.clone(), id.clone());
        hasty.spawn(async move {
            let mut dropped = 0;
            for _ in 0..50 {
                let patience = Duration::from_micros(rand::random_range(0..3000));
                dropped += u32::from(tokio::time::timeout(patience, store.load(&id)).await.is_err());
            }
            dropped
        });
    }
    for _ in 0..20 {
        assert_eq!(store.load(id).await.unwrap().unwrap().fields, record.fields);
    }
    let dropped: u32 = hasty.join_all().await.into_iter().sum();
    assert!(dropped > 100, "{dropped} were dropped");
    assert_eq!(store.load(id).await.unwrap().unwrap().fields, record.fields);
    // Neither replacements nor connections that ask the server to cancel.
    let connections = proxy.counts().connections;
    assert!(connections <= 10, "{connections} connections");
}

#[tokio::test]
async fn a_killed_server_that_restarts_has_everything() {
    let Some(mut server) = Postgres::options().durable().start("restarts of PostgreSQL") else { return };
    let table = Table::on(&server);
    let store = table.open().await;
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    let record = store.load(&id).await.unwrap().unwrap();
    for number in 1..=3 {
        let note = number.to_string();
        assert_eq!(store.update(&id, &noting(&record, note.as_bytes()), LIFETIME).await.unwrap(), APPLIED);
        server.kill();
        assert_eq!(soon(store.load(&id)).await, Err(Unavailable));
        assert_eq!(soon(store.update(&id, &noting(&record, b"never"), LIFETIME)).await, Err(Unavailable));
        server.restart();
        let now = recovers(&store, &id).await;
        assert_eq!(now.fields.find("note"), Some(note.as_bytes()));
    }
}

#[tokio::test]
async fn connections_that_an_administrator_ends_are_replaced() {
    let Some(server) = Postgres::start("ended connections of PostgreSQL") else { return };
    let table = Table::on(&server);
    let store = table.open().await;
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    let record = store.load(&id).await.unwrap().unwrap();
    let others = "from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
    for number in 0..5 {
        table.sql(&format!("select count(pg_terminate_backend(pid)) {others}"));
        assert_eq!(store.load(&id).await.unwrap().unwrap().epoch, record.epoch, "{number}");
    }
    // If one server process is killed, all end, and the server starts again.
    let backend = table.sql(&format!("select pid {others} limit 1"));
    let killed = std::process::Command::new("kill").args(["-s", "KILL", &backend]).status();
    assert!(killed.unwrap().success());
    recovers(&store, &id).await;
    assert_eq!(store.update(&id, &noting(&record, b"1"), LIFETIME).await.unwrap(), APPLIED);

    // Ended while a statement waits: the store cannot know whether it was committed.
    let mut client = table.client().await;
    let transaction = client.transaction().await.unwrap();
    transaction.execute(&format!("select 1 from {} for update", table.0), &[]).await.unwrap();
    let end = async {
        let ended = format!("select count(pg_terminate_backend(pid)) {others} and wait_event_type = 'Lock'");
        while table.sql(&ended) == "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let patch = noting(&record, b"2");
    let (answer, ()) = tokio::join!(soon(store.update(&id, &patch, LIFETIME)), end);
    assert_eq!(answer, Err(Unknown));
    transaction.rollback().await.unwrap();
    assert_eq!(note(&store, &id).await, "1");
}

#[tokio::test]
async fn no_call_waits_longer_than_its_time_limit_for_a_stopped_server() {
    let Some(server) = Postgres::start("a stopped PostgreSQL") else { return };
    let table = Table::on(&server);
    table.open().await;
    let store =
        table.options().time_limit(Duration::from_secs(1)).existing_table().connect(&server.url()).await.unwrap();
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    let record = store.load(&id).await.unwrap().unwrap();
    server.stop();
    assert_eq!(soon(store.update(&id, &noting(&record, b"1"), LIFETIME)).await, Err(Unknown));
    assert_eq!(soon(store.load(&id)).await, Err(Unavailable));
    // The connection is closed, and a new one cannot be opened.
    assert_eq!(soon(store.update(&id, &noting(&record, b"2"), LIFETIME)).await, Err(Unavailable));
    server.resume();
    let now = recovers(&store, &id).await;
    assert_ne!(now.fields.find("note"), Some(b"2".as_slice()));
    assert_eq!(store.update(&id, &noting(&record, b"3"), LIFETIME).await.unwrap(), APPLIED);
}

#[tokio::test]
async fn r10_a_write_is_unknown_if_pgbouncer_loses_its_server() {
    let Some(bouncer) = PgBouncer::start("faults behind pgbouncer") else { return };
    let table = Table::at(&bouncer.url());
    let store = table.open().await;
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    let record = store.load(&id).await.unwrap().unwrap();
    let direct = bouncer.postgres();
    let (mut client, connection) = tokio_postgres::connect(&direct.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let transaction = client.transaction().await.unwrap();
    transaction.execute(&format!("select 1 from {} for update", table.0), &[]).await.unwrap();
    let end = async {
        let ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity where wait_event_type = 'Lock'";
        while direct.sql(ended) == "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let patch = noting(&record, b"1");
    let (answer, ()) = tokio::join!(soon(store.update(&id, &patch, LIFETIME)), end);
    assert_eq!(answer, Err(Unknown));
    transaction.rollback().await.unwrap();
    assert_eq!(recovers(&store, &id).await.fields, record.fields);
    assert_eq!(store.update(&id, &noting(&record, b"2"), LIFETIME).await.unwrap(), APPLIED);
}
