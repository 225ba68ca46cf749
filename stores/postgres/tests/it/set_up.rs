//! Connecting, and the tables.

use std::time::Duration;

use http_session::SessionStore as _;
use http_session::error::{ConnectError, StoreErrorKind};
use http_session_postgres::PostgresStore;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{Table, id, inserted, record};
use http_session_test_kit::servers::{self, Postgres, url_through};

fn is_schema<T>(connected: Result<T, ConnectError>, word: &str) {
    match connected.map(|_| ()) {
        Err(ConnectError::Schema(why)) => assert!(why.contains(word), "{why}"),
        other => panic!("{other:?}"),
    }
}

fn is_unavailable<T>(connected: Result<T, ConnectError>) {
    is(StoreErrorKind::Unavailable, connected);
}

fn is<T>(kind: StoreErrorKind, connected: Result<T, ConnectError>) {
    match connected.map(|_| ()) {
        Err(ConnectError::Store(error)) => assert_eq!(error.kind(), kind),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_together_create_one_table() {
    let Some(server) = servers::postgres("many that make the tables of PostgreSQL") else { return };
    for _ in 0..5 {
        let table = Table::new(&server);
        let mut starting = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (options, url) = (table.options().connections(1), server.url().to_owned());
            starting.spawn(async move { options.connect(&url).await.map(|_| ()) });
        }
        for started in starting.join_all().await {
            started.unwrap();
        }
    }
}

#[tokio::test]
async fn a_table_is_created_only_if_it_is_missing() {
    let Some(server) = servers::postgres("tables of PostgreSQL") else { return };
    let table = Table::new(&server);
    let (name, url) = (&table.0, server.url());
    is_schema(table.options().existing_table().connect(url).await, "must not create it");
    table.sql(&table.options().schema().unwrap());
    table.sql(&format!("alter table {name} add column note text default 'ours'"));
    let store = table.options().existing_table().connect(url).await.unwrap();
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    assert!(store.load(&id).await.unwrap().is_some());

    for change in [
        "rename touched to seen",
        "alter created type timestamp",
        "alter epoch type int",
        "alter id type text collate \"C.utf8\"",
        "alter fields type json",
        &format!("drop constraint {name}_pkey"),
    ] {
        let other = Table::new(&server);
        other.sql(&other.options().schema().unwrap());
        other.sql(&format!("alter table {} {}", other.0, change.replace(name, &other.0)));
        is_schema(other.options().connect(url).await, "lacks columns");
    }
    let theirs = Table::new(&server);
    theirs.sql(&format!("create table {} (sid varchar primary key, sess json, expire timestamp(6))", theirs.0));
    is_schema(theirs.open_or_error().await, "another program");
    match PostgresStore::options().table("a; drop table users").connect(url).await {
        Err(ConnectError::InvalidOptions(why)) => assert!(why.contains("letters"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_missing_index_is_created() {
    let Some(server) = servers::postgres("indexes of PostgreSQL") else { return };
    let url = server.url();
    for suffix in ["expires", "identity"] {
        let table = Table::new(&server);
        let index = format!("{}_{suffix}", table.0);
        table.open().await;
        let count =
            format!("select count(*) from pg_indexes where tablename = '{}' and indexname = '{index}'", table.0);
        assert_eq!(table.sql(&count), "1");
        table.sql(&format!("drop index {index}"));
        is_schema(table.options().existing_table().connect(url).await, "`_identity`");
        table.open().await;
        assert_eq!(table.sql(&count), "1");
        table.options().existing_table().connect(url).await.unwrap();
        // The name belongs to an index of another table.
        table.sql(&format!("drop index {index}; create index {index} on {}_generations (expires)", table.0));
        is_schema(table.options().connect(url).await, "something else");
    }
}

impl Table {
    async fn open_or_error(&self) -> Result<PostgresStore, ConnectError> {
        self.options().connect(&self.1).await
    }
}

#[tokio::test]
async fn tables_may_have_any_name_and_schema() {
    let Some(server) = servers::postgres("names of tables in PostgreSQL") else { return };
    let table = Table::new(&server);
    table.sql(&format!("create schema {}", table.0));
    let long = format!("{}.Select_{}", table.0, "x".repeat(43));
    let store = PostgresStore::options().table(long).connect(server.url()).await.unwrap();
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    let found = format!("select count(*) from {}.\"Select_{}\"", table.0, "x".repeat(43));
    assert_eq!(table.sql(&found), "1");
    assert_eq!(table.sql(&format!("select count(*) from pg_indexes where schemaname = '{}'", table.0)), "4");
}

#[tokio::test]
async fn a_role_needs_only_rights_on_its_tables() {
    let Some(server) = Postgres::start("roles of PostgreSQL") else { return };
    let table = Table::on(&server);
    server.sql("create role app login");
    server.sql("create database latin template template0 encoding latin1 locale 'C'");
    let url = server.url().replace("postgres@", "app@");
    is_schema(table.options().connect(&url).await, "may not create it");
    server.sql(&table.options().schema().unwrap());
    let name = &table.0;
    for rights in ["select, insert, update", "select, delete"] {
        server.sql(&format!("grant {rights} on {name} to app"));
        is_schema(table.options().connect(&url).await, "`delete`");
    }
    server.sql(&format!("grant select, insert, update on {name}_generations to app"));
    is_schema(table.options().connect(&url).await, "`delete`");
    server.sql(&format!("grant delete on {name}_generations to app; drop index {name}_expires"));
    is_schema(table.options().connect(&url).await, "may not create one");
    server.sql(&table.options().schema().unwrap());
    let store = table.options().connect(&url).await.unwrap();
    let id = id();
    inserted(&store, &id, &record(b"0")).await;
    store.sweep().await.unwrap();

    let latin = server.url().replace("/postgres", "/latin").replace("//latin", "//postgres");
    is_schema(table.options().connect(&latin).await, "UTF8");
}

#[tokio::test]
async fn r26_a_connection_error_does_not_show_the_url() {
    let Some(server) = Postgres::options().password("hunter2").start("passwords of PostgreSQL") else { return };
    let table = Table::on(&server);
    let store = table.open().await;
    let debug = format!("{store:?} {:?}", table.options());
    assert!(!debug.contains("hunter2") && debug.contains(&table.0), "{debug}");
    let wrong = server.url().replace("hunter2", "hunter3");
    let refused = table.options().connect(&wrong).await.unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("hunter"), "{refused:?}");
    assert!(std::error::Error::source(&refused).is_some());
    assert!(format!("{refused:?}").contains("the user or the password is wrong"), "{refused:?}");
    is(StoreErrorKind::Refused, Err::<(), _>(refused));
    is(StoreErrorKind::Refused, table.options().connect(&(server.url() + "elsewhere")).await);
    let nowhere = url_through(&server.url(), "127.0.0.1:1".parse().unwrap());
    is_unavailable(table.options().connect(&nowhere).await);
}

#[tokio::test]
async fn no_option_is_too_large() {
    let Some(server) = servers::postgres("large options of PostgreSQL") else { return };
    let table = Table::new(&server);
    let options = table.options().time_limit(Duration::MAX).connections(usize::MAX);
    let store = options.connect(server.url()).await.unwrap();
    inserted(&store, &id(), &record(b"0")).await;
}

/// A host that vanished, for example because it lost power.
#[tokio::test]
async fn a_host_that_does_not_answer_leaves_time_for_the_next() {
    let Some(server) = Postgres::start("PostgreSQL beside a silent host") else { return };
    let silent = TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let silent = silent.listen(1).unwrap();
    let address = silent.local_addr().unwrap();
    // Nobody accepts these connections. Once the queue is full, further attempts are not answered at all.
    let mut waiting = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
        waiting.push(connected.unwrap());
    }
    let url = format!("postgres://postgres@{address},127.0.0.1:{}/postgres", server.port());
    let options = Table::on(&server).options().time_limit(Duration::from_secs(9));
    let store = options.connect(&url).await.unwrap();
    inserted(&store, &id(), &record(b"0")).await;
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_follows_the_url() {
    let Some(server) = Postgres::options().password("secret").tls().start("PostgreSQL with tls") else { return };
    let table = Table::on(&server);
    let plain = server.url().replace("?sslmode=require", "");
    let authority = server.authority().unwrap().display().to_string().replace('/', "%2F");
    let connect = |options: &str| {
        let url = format!("{plain}?{options}");
        let options = table.options();
        async move { options.connect(&url).await }
    };
    for mode in ["require", "verify-ca", "verify-full"] {
        let store = connect(&format!("sslmode={mode}&sslrootcert={authority}")).await.unwrap();
        inserted(&store, &id(), &record(b"0")).await;
        // The system does not trust this authority, or trusts none.
        match connect(&format!("sslmode={mode}")).await {
            Err(ConnectError::InvalidUrl(why)) => assert!(why.contains("authority"), "{why}"),
            other => is_unavailable(other),
        }
        // The certificate belongs to another host.
        let other = format!("postgres://postgres:secret@db.invalid:{}/postgres", server.port());
        let other = format!("{other}?hostaddr=127.0.0.1&sslmode={mode}&sslrootcert={authority}");
        is_unavailable(table.options().connect(&other).await);
    }
    assert!(connect("sslmode=prefer").await.is_ok());
    assert!(connect("").await.is_ok());
    // The server requires TLS.
    is(StoreErrorKind::Refused, connect("sslmode=disable").await);
}

#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_statement_is_cancelled_over_tls_too() {
    let Some(server) = Postgres::options().tls().start("cancelling over tls") else { return };
    let table = Table::on(&server);
    let authority = server.authority().unwrap().display().to_string().replace('/', "%2F");
    let url = format!("{}&sslrootcert={authority}", server.url());
    table.options().connect(&url).await.unwrap();
    let options = table.options().existing_table().time_limit(Duration::from_millis(700));
    let store = loop {
        if let Ok(store) = options.clone().connect(&url).await {
            break store;
        }
    };
    // psql holds the lock as long as it runs.
    let lock = format!("begin; lock table {}; select pg_sleep(30)", table.0);
    let mut holder = std::process::Command::new("psql")
        .args(["-q", "-c", &lock, &server.url()])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
    let asked = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    servers::wait_until("the table is locked", || server.sql(asked) == "1");
    assert_eq!(store.load(&id()).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    servers::wait_until("the server has given up", || server.sql(waiting) == "0");
    assert_eq!(server.sql(asked), "1");
    holder.kill().unwrap();
    holder.wait().unwrap();
}
