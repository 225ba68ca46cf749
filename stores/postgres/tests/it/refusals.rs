//! Refusals of the server: a statement is sent again if that helps and it is known to have done nothing (R10).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use http_session::SessionStore as _;
use http_session::error::StoreErrorKind::{self, Corrupt, Full, Refused, Unavailable, Unknown};
use http_session::store::{Destroyed, Inserted, Updated};
use http_session_postgres::PostgresStore;
use http_session_postgres::driver::{Config, Pool, Runtime, tokio_postgres::NoTls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{APPLIED, LIFETIME, Table, counting, id, inserted, note, noting, number, record};
use http_session_test_kit::servers::{self, Postgres};

/// The server refuses the first `times` writes to the table with this error code.
fn refuse(table: &Table, state: &str, times: u32) {
    let name = &table.0;
    table.sql(&format!(
        "drop sequence if exists {name}_refused cascade; create sequence {name}_refused;
        create or replace function {name}_refuse() returns trigger language plpgsql as $$ begin
        if nextval('{name}_refused') <= {times} then raise exception 'refused' using errcode = '{state}'; end if;
        return new; end $$;
        create or replace trigger refuse before update or insert on {name} for each row execute function {name}_refuse()"
    ));
}

#[tokio::test]
async fn r10_a_refusal_is_retried_or_reported() {
    let Some(server) = servers::postgres("refusals of PostgreSQL") else { return };
    let table = Table::new(&server);
    for store in [table.open().await, table.options().prepared().connect(server.url()).await.unwrap()] {
        let id = id();
        inserted(&store, &id, &record(b"0")).await;
        let loaded = store.load(&id).await.unwrap().unwrap();
        for (state, times) in [("40001", 3), ("40P01", 3), ("25006", 2), ("26000", 1)] {
            refuse(&table, state, times);
            assert_eq!(store.update(&id, &noting(&loaded, state.as_bytes()), LIFETIME).await.unwrap(), APPLIED);
            assert_eq!(note(&store, &id).await, state);
        }
        for (state, kind) in [
            ("25006", Unavailable),
            ("53100", Full),
            ("53200", Unavailable),
            ("57014", Unavailable),
            ("55P03", Unavailable),
            ("22023", Corrupt),
            ("42501", Refused),
            ("23514", Refused),
            // Sent by servers that only speak the protocol: the outcome is unknown.
            ("40003", Unknown),
            ("08007", Unknown),
        ] {
            refuse(&table, state, 1000);
            let kind_of = |error: http_session::error::StoreError| error.kind();
            let update = store.update(&id, &noting(&loaded, b"never"), LIFETIME).await;
            assert_eq!(update.map_err(kind_of), Err(kind), "{state}");
            let insert = store.insert(&super::id(), &loaded, LIFETIME).await;
            assert_eq!(insert.map_err(kind_of), Err(kind), "{state}");
            let attempts: u32 = table.sql(&format!("select last_value from {}_refused", table.0)).parse().unwrap();
            assert!(attempts <= 6, "{state}: {attempts}");
        }
        assert_eq!(note(&store, &id).await, "25006".replace("25006", "26000"));
        table.sql(&format!("drop trigger refuse on {}", table.0));
    }
}

#[tokio::test]
async fn a_server_that_keeps_refusing_is_given_up_in_time() {
    let Some(server) = servers::postgres("endless refusals of PostgreSQL") else { return };
    let table = Table::new(&server);
    let store = table.options().time_limit(Duration::from_secs(1)).connect(server.url()).await.unwrap();
    refuse(&table, "40001", u32::MAX);
    let start = Instant::now();
    let answer = store.insert(&id(), &record(b"0"), LIFETIME).await;
    // The last attempt was refused, or not answered yet.
    assert!(matches!(answer.unwrap_err().kind(), Unavailable | Unknown));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_standby_answers_loads_and_refuses_the_rest() {
    let Some(server) = Postgres::start("PostgreSQL and a standby") else { return };
    let table = Table::on(&server);
    let store = table.open().await;
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    let standby = server.standby();
    servers::wait_until("the standby has followed", || {
        servers::psql(&standby.url(), &format!("select count(*) from {}", table.0)).as_deref() == Ok("1")
    });
    let replica = table.options().connect(&standby.url()).await.unwrap();
    let loaded = replica.load(&id).await.unwrap().unwrap();
    let kind = |error: http_session::error::StoreError| error.kind();
    assert_eq!(replica.update(&id, &noting(&loaded, b"1"), LIFETIME).await.map_err(kind), Err(Unavailable));
    assert_eq!(replica.touch(&id, loaded.epoch, LIFETIME).await.map_err(kind), Err(Unavailable));
    assert_eq!(replica.destroy(&id, None).await.map_err(kind), Err(Unavailable));
    assert_eq!(replica.insert(&super::id(), &loaded, LIFETIME).await.map_err(kind), Err(Unavailable));
    assert_eq!(replica.sweep().await.map_err(kind), Err(Unavailable));
    assert_eq!(store.load(&id).await.unwrap().unwrap().fields, loaded.fields);

    // With `target_session_attrs` the store finds the primary.
    let both = format!("127.0.0.1:{},127.0.0.1:{}", standby.port(), server.port());
    let url = format!("postgres://postgres@{both}/postgres?target_session_attrs=read-write");
    let primary = table.options().connect(&url).await.unwrap();
    assert_eq!(primary.update(&id, &noting(&loaded, b"1"), LIFETIME).await.unwrap(), APPLIED);
}

/// The administrator may have set a stricter isolation level than the store needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r9_no_update_is_lost_at_any_isolation_level() {
    let Some(server) = servers::postgres("isolation in PostgreSQL") else { return };
    for level in ["read committed", "repeatable read", "serializable"] {
        let table = Table::new(&server);
        let options = level.replace(' ', "%5C%20");
        let join = if server.url().contains('?') { '&' } else { '?' };
        let url = format!("{}{join}options=-c%20default_transaction_isolation%3D{options}", server.url());
        let store = table.options().connect(&url).await.unwrap();
        let id = id();
        inserted(&store, &id, &record(b"0")).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (store, id) = (store.clone(), id.clone());
            tasks.spawn(async move {
                for _ in 0..10 {
                    let mut loaded = store.load(&id).await.unwrap().unwrap();
                    loop {
                        let count = number(loaded.fields.find("count").unwrap());
                        let patch = super::writing(&loaded, &super::COUNT, (count + 1).to_string().as_bytes());
                        match store.update(&id, &patch, LIFETIME).await.unwrap() {
                            Updated::Applied { .. } => break,
                            Updated::Conflict(now) => loaded = *now,
                            other => panic!("{other:?}"),
                        }
                    }
                }
            });
        }
        tasks.join_all().await;
        let record = store.load(&id).await.unwrap().unwrap();
        assert_eq!(number(record.fields.find("count").unwrap()), 40, "{level}");
    }
}

/// A proxy that turns ERROR into FATAL without closing the connection, and counts its connections.
async fn fatal(server: std::net::SocketAddr) -> (std::net::SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = TcpStream::connect(server).await.unwrap().into_split();
                let asks = tokio::io::copy(&mut from_client, &mut to_server);
                let answers = async {
                    let mut buffer = vec![0; 64 * 1024];
                    while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                        // The severity for people, and the same for programs.
                        for severity in [b"SERROR\0", b"VERROR\0"] {
                            for at in 0..read.saturating_sub(severity.len()) {
                                if buffer[at..].starts_with(severity) {
                                    buffer[at + 1..at + 6].copy_from_slice(b"FATAL");
                                }
                            }
                        }
                        to_client.write_all(&buffer[..read]).await.unwrap();
                    }
                };
                let _ = tokio::join!(asks, answers);
            });
        }
    });
    (address, count)
}

#[tokio::test]
async fn a_connection_that_is_about_to_end_is_not_used_again() {
    let Some(server) = servers::postgres("FATAL of PostgreSQL") else { return };
    let table = Table::new(&server);
    table.open().await;
    let (address, connections) = fatal(server.address()).await;
    let store = table.options().connections(1).connect(&server.url_through(address)).await.unwrap();
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    let loaded = store.load(&id).await.unwrap().unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    refuse(&table, "23514", 1);
    assert_eq!(store.update(&id, &noting(&loaded, b"1"), LIFETIME).await.unwrap_err().kind(), Unknown);
    assert_eq!(store.update(&id, &noting(&loaded, b"2"), LIFETIME).await.unwrap(), APPLIED);
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

fn pool(url: &str) -> Pool {
    let config = Config { url: Some(url.to_owned()), ..Config::new() };
    config.create_pool(Some(Runtime::Tokio1), NoTls).unwrap()
}

#[tokio::test]
async fn a_given_pool_is_used_as_it_is() {
    let Some(server) = servers::postgres("a pool for PostgreSQL") else { return };
    let (table, pool) = (Table::new(&server), pool(server.url()));
    let store = table.options().prepared().with_pool(pool.clone()).await.unwrap();
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    let loaded = store.load(&id).await.unwrap().unwrap();
    assert_eq!(store.update(&id, &noting(&loaded, b"1"), LIFETIME).await.unwrap(), APPLIED);

    // The server has forgotten the prepared statements: they are prepared again.
    let all: Vec<_> = std::iter::repeat_with(|| pool.get()).take(pool.status().size).collect();
    for connection in all {
        connection.await.unwrap().batch_execute("deallocate all").await.unwrap();
    }
    assert_eq!(store.update(&id, &noting(&loaded, b"2"), LIFETIME).await.unwrap(), APPLIED);
    assert_eq!(note(&store, &id).await, "2");

    // All connections of the pool are in use.
    let busy: Vec<_> = (0..pool.status().max_size).map(|_| pool.get()).collect();
    let mut held = Vec::new();
    for connection in busy {
        held.push(connection.await.unwrap());
    }
    let hasty = table.options().time_limit(Duration::from_millis(100)).existing_table();
    let waiting = hasty.clone().with_pool(pool.clone()).await;
    assert!(waiting.is_err());
    drop(held);
    let store = hasty.time_limit(super::PATIENCE).with_pool(pool.clone()).await.unwrap();
    assert_eq!(store.destroy(&id, None).await.unwrap(), Destroyed::Destroyed);
    pool.close();
    assert_eq!(store.load(&id).await.unwrap_err().kind(), Unavailable);
}

#[tokio::test]
async fn r18_no_call_waits_for_a_connection_longer_than_its_time_limit() {
    let Some(server) = servers::postgres("a busy pool for PostgreSQL") else { return };
    let (table, pool) = (Table::new(&server), pool(server.url()));
    let limit = Duration::from_millis(500);
    table.open().await;
    let store: PostgresStore = loop {
        let options = table.options().existing_table().time_limit(limit);
        if let Ok(store) = options.with_pool(pool.clone()).await {
            break store;
        }
    };
    let mut held = Vec::new();
    for _ in 0..pool.status().max_size {
        held.push(pool.get().await.unwrap());
    }
    let start = Instant::now();
    let refused: StoreErrorKind = store.insert(&id(), &record(b"0"), LIFETIME).await.unwrap_err().kind();
    assert_eq!(refused, Unavailable);
    assert!(start.elapsed() < Duration::from_secs(10));
    drop(held);
    let id = id();
    let inserted = loop {
        match store.insert(&id, &record(b"0"), LIFETIME).await {
            Ok(inserted) => break inserted,
            Err(error) => assert_eq!(error.kind(), Unavailable),
        }
    };
    assert_eq!(inserted, Inserted::Inserted);
    let loaded = store.load(&id).await.unwrap().unwrap();
    assert!(matches!(store.update(&id, &counting(&loaded, 1), LIFETIME).await.unwrap(), Updated::Conflict(_)));
}
