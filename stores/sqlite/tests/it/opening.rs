//! Opening a file, and closing it.

use std::fs;
use std::time::Duration;

use http_session::SessionStore as _;
use http_session::clock::ManualClock;
use http_session::error::{ConnectError, StoreErrorKind};
use http_session::record::{Lifetime, RawJson, TOMBSTONE_LIFETIME};
use http_session::store::{EnumerateSessions as _, Generation, IndexSessions as _, Inserted, Sweep};
use http_session_sqlite::{SqliteOptions, SqliteStore, Synchronous};

use super::{DAY, Files as _, LIFETIME, id, record};
use http_session_test_kit::Folder;
use http_session_test_kit::servers::wait_until;
use http_session_test_kit::times;

async fn insert(store: &SqliteStore, number: u64) {
    assert_eq!(store.insert(&id(number), &record(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
}

#[tokio::test]
async fn a_session_outlives_a_restart() {
    let folder = Folder::new();
    insert(&folder.store().await, 1).await;
    let again = folder.store().await;
    assert_eq!(again.load(&id(1)).await.unwrap().unwrap().fields, record(b"1").fields);
}

#[cfg(unix)]
#[tokio::test]
async fn r26_only_the_owner_can_read_a_new_file_and_an_old_one_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::new();
    let permissions = |name: &str| fs::metadata(folder.0.join(name)).unwrap().permissions().mode() & 0o777;
    let store = folder.store().await;
    insert(&store, 1).await;
    for name in ["sessions.db", "sessions.db-wal", "sessions.db-shm"] {
        assert_eq!(permissions(name), 0o600, "{name}");
    }
    drop(store);
    fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o640)).unwrap();
    insert(&folder.store().await, 2).await;
    assert_eq!(permissions("sessions.db"), 0o640);
}

#[tokio::test]
async fn dropping_the_last_clone_moves_the_log_into_the_file() {
    let folder = Folder::new();
    let store = folder.store().await;
    let clone = store.clone();
    insert(&store, 1).await;
    drop(store);
    insert(&clone, 2).await;
    assert!(folder.0.join("sessions.db-wal").exists());
    drop(clone);
    wait_until("the log is in the file", || !folder.0.join("sessions.db-wal").exists());
    let rows: i64 = folder.connection().query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 2);
}

/// The store is opened, used and dropped outside of any runtime.
#[test]
fn no_runtime_is_needed() {
    fn poll<F: Future>(future: F) -> F::Output {
        struct Unpark(std::thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
        let mut future = std::pin::pin!(future);
        loop {
            match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
                std::task::Poll::Ready(output) => return output,
                std::task::Poll::Pending => std::thread::park(),
            }
        }
    }

    let folder = Folder::new();
    let store = poll(folder.store());
    poll(insert(&store, 1));
    assert!(poll(store.load(&id(1))).unwrap().is_some());
}

#[tokio::test]
async fn an_opening_whose_future_is_dropped_leaves_no_thread_behind() {
    let folder = Folder::new();
    for _ in 0..20 {
        let mut opening = Box::pin(folder.store());
        assert!(http_session_test_kit::poll_once(&mut opening).is_pending());
    }
    wait_until("all have closed the file", || {
        folder.file().exists()
            && !folder.0.join("sessions.db-wal").exists()
            && !folder.0.join("sessions.db-shm").exists()
    });
    insert(&folder.store().await, 1).await;
}

#[tokio::test]
async fn a_table_of_another_program_is_refused() {
    for sql in [
        "CREATE TABLE sessions (sid TEXT PRIMARY KEY, expired INTEGER, sess TEXT)",
        "CREATE TABLE SESSIONS (id TEXT)",
        "CREATE VIEW sessions AS SELECT 1 AS id",
        "CREATE TABLE sessions_generations (identity TEXT, generation INTEGER, expires INTEGER, more TEXT)",
        "CREATE TABLE sessions_generations (identity TEXT, generation INTEGER, expires INTEGER)",
        "CREATE TABLE mine (id); CREATE INDEX sessions_expires ON mine (id)",
    ] {
        let folder = Folder::new();
        folder.connection().execute_batch(sql).unwrap();
        let before = fs::read(folder.file()).unwrap();
        let error = SqliteStore::connect(&folder.url()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Schema(_)), "{sql}: {error}");
        if !sql.contains("INDEX") {
            assert_eq!(fs::read(folder.file()).unwrap(), before, "{sql}");
        }
        insert(&folder.with(SqliteStore::options().table("visits")).await, 1).await;
    }
}

/// A table that was restored by hand has the columns, but not the key.
#[tokio::test]
async fn a_table_without_its_key_is_refused_and_one_without_its_indexes_gets_them() {
    let folder = Folder::new();
    insert(&folder.store().await, 1).await;
    let indexes = || {
        let sql = "SELECT count(*) FROM pragma_index_list('sessions') WHERE origin = 'c'";
        folder.connection().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    folder.connection().execute_batch("DROP INDEX sessions_identity; DROP INDEX sessions_expires").unwrap();
    assert_eq!(indexes(), 0);
    drop(folder.store().await);
    assert_eq!(indexes(), 2);

    let copy = "CREATE TABLE copy AS SELECT * FROM sessions; DROP TABLE sessions; ALTER TABLE copy RENAME TO sessions";
    folder.connection().execute_batch(copy).unwrap();
    let error = SqliteStore::connect(&folder.url()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Schema(_)), "{error}");
}

#[tokio::test]
async fn a_path_may_contain_any_characters() {
    let folder = Folder::new();
    for name in ["100%", "a?b#c", ":memory:", "file:x", "ä b"] {
        let path = folder.0.join(name);
        insert(&SqliteStore::options().open(&path).await.unwrap(), 1).await;
        assert!(path.exists(), "{name}");
    }
}

/// A lock that is never released.
#[tokio::test]
async fn a_file_that_another_process_keeps_locked_is_refused() {
    let folder = Folder::new();
    drop(folder.store().await);
    let other = folder.connection();
    other.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
    other.execute_batch("BEGIN IMMEDIATE; COMMIT").unwrap();
    let options = SqliteStore::options().time_limit(Duration::from_millis(200));
    for connections in [1, 3] {
        let error = options.clone().connections(connections).connect(&folder.url()).await.unwrap_err();
        assert!(error.to_string().ends_with(": another process keeps the file locked"), "{error}");
        let ConnectError::Store(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    drop(other);
    insert(&folder.with(options).await, 1).await;
}

/// During a rolling restart, say.
#[tokio::test]
async fn a_file_can_be_opened_while_another_process_writes() {
    let folder = Folder::new();
    insert(&folder.store().await, 1).await;
    let other = folder.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let store = folder.with(SqliteStore::options().time_limit(Duration::from_secs(60))).await;
    assert!(store.load(&id(1)).await.unwrap().is_some());
    other.execute_batch("COMMIT").unwrap();
    insert(&store, 2).await;
}

/// Here the later version has one more column.
#[tokio::test]
async fn a_table_of_a_later_version_is_refused() {
    let folder = Folder::new();
    insert(&folder.store().await, 1).await;
    folder.connection().execute_batch("ALTER TABLE sessions ADD COLUMN device TEXT").unwrap();
    let error = SqliteStore::connect(&folder.url()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Schema(_)), "{error}");
}

/// An application that shares the file keeps its tables and the number of its schema.
#[tokio::test]
async fn the_rest_of_the_file_is_left_alone() {
    let folder = Folder::new();
    folder
        .connection()
        .execute_batch("CREATE TABLE users (name); PRAGMA user_version = 17; PRAGMA application_id = 5")
        .unwrap();
    let (store, admin) = (folder.store().await, folder.with(SqliteStore::options().table("admin")).await);
    insert(&store, 1).await;
    assert_eq!((store.len().await.unwrap(), admin.len().await.unwrap()), (1, 0));
    let connection = folder.connection();
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((number("user_version"), number("application_id")), (17, 5));
}

#[tokio::test]
async fn a_table_name_may_be_a_keyword_but_has_no_other_characters() {
    let folder = Folder::new();
    for name in ["order", "_", "Sessions2", &"x".repeat(50)] {
        insert(&folder.with(SqliteStore::options().table(name)).await, 1).await;
    }
    for name in ["", "2", "a b", "a\"b", "a;", "sqlite_x", "SQLITE_x", "naïve", &"x".repeat(51)] {
        let error = SqliteStore::options().table(name).connect(&folder.url()).await.unwrap_err();
        assert!(matches!(error, ConnectError::InvalidOptions(_)), "{name}: {error}");
    }
}

#[tokio::test]
async fn any_number_of_connections_is_enough() {
    let folder = Folder::new();
    let open = |connections| folder.with(SqliteStore::options().connections(connections));
    for connections in [0, 1, 4] {
        insert(&open(connections).await, u64::try_from(connections).unwrap()).await;
    }
    assert_eq!(open(2).await.len().await.unwrap(), 3);

    let memory = SqliteStore::connect("sqlite::memory:").await.unwrap();
    insert(&memory, 1).await;
    assert_eq!(memory.len().await.unwrap(), 1);
}

#[tokio::test]
async fn r26_the_error_of_a_missing_directory_does_not_name_it() {
    let folder = Folder::new();
    let url = format!("sqlite:{}/s3cret/sessions.db", folder.0.display());
    let error = SqliteStore::connect(&url).await.unwrap_err();
    assert_eq!(error.to_string(), "the session store refused the call: its directory does not exist");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
    let store = folder.store().await;
    assert!(!format!("{store:?} {:?}", SqliteStore::options()).contains("sessions.db"));
}

fn short(clock: &ManualClock) -> SqliteOptions {
    SqliteStore::options().clock(clock.clone()).sweep(Sweep::NEVER.batch(3))
}

async fn rows(folder: &Folder, table: &str) -> i64 {
    folder.connection().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn r7_a_sweep_removes_expired_rows_and_nothing_else() {
    let (folder, clock) = (Folder::new(), ManualClock::new());
    let store = folder.with(short(&clock)).await;
    for number in 0..10 {
        let idle = if number < 8 { DAY } else { 3 * DAY };
        let lifetime = Lifetime::new(idle, LIFETIME.absolute);
        assert_eq!(store.insert(&id(number), &record(b"1"), lifetime).await.unwrap(), Inserted::Inserted);
    }
    let _ = store.destroy(&id(0), None).await.unwrap();
    store.raise_generation(&RawJson::new(b"1"), Generation(7)).await.unwrap();
    assert_eq!(store.sweep().await.unwrap(), 0);

    clock.advance(TOMBSTONE_LIFETIME);
    assert_eq!(store.sweep().await.unwrap(), 1);
    clock.advance(DAY);
    assert_eq!(store.sweep().await.unwrap(), 7);
    assert_eq!((rows(&folder, "sessions").await, rows(&folder, "sessions_generations").await), (2, 0));
    assert_eq!(store.len().await.unwrap(), 2);
}

#[tokio::test]
async fn expired_rows_are_swept_without_a_call() {
    let (folder, clock) = (Folder::new(), ManualClock::new());
    let store = folder.with(short(&clock).sweep(Sweep::every(Duration::from_secs(1)).batch(3))).await;
    for number in 0..20 {
        insert(&store, number).await;
    }
    clock.advance(2 * DAY);
    wait_until("all rows are removed", || {
        let rows: i64 = folder.connection().query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).unwrap();
        rows == 0
    });
}

#[tokio::test]
async fn a_sweep_may_be_due_after_the_end_of_time() {
    let folder = Folder::new();
    let store = folder.with(SqliteStore::options().sweep(Sweep::every(Duration::MAX))).await;
    let inserted = tokio::time::timeout(Duration::from_secs(60), store.insert(&id(1), &record(b"1"), LIFETIME)).await;
    assert_eq!(inserted.expect("the writer answers").unwrap(), Inserted::Inserted);
}

/// All of them open a file at the same moment, before it exists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_stores_may_create_the_file_at_the_same_moment() {
    let patient = || SqliteStore::options().time_limit(Duration::from_secs(60)).synchronous(Synchronous::Normal);
    for _ in 0..times(200) {
        let folder = Folder::new();
        let opening: Vec<_> = (0..6).map(|_| tokio::spawn(patient().connect(folder.url().leak()))).collect();
        for (number, store) in (0..).zip(opening) {
            insert(&store.await.unwrap().unwrap(), number).await;
        }
    }
}
