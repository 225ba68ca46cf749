//! When things fail: the answer is true and comes in time, and the store recovers by itself. `src/tests.rs` has the full disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http_session::SessionStore as _;
use http_session::clock::{Clock, SystemClock};
use http_session::error::StoreErrorKind;
use http_session::record::Epoch;
use http_session::store::{EnumerateSessions as _, Inserted, Updated};
use http_session_sqlite::SqliteStore;
use tokio::task::JoinSet;

use super::{Files as _, LIFETIME, id, noting, record};
use http_session_test_kit::Folder;
use http_session_test_kit::{poll_once, times};

const LIMIT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn r10_a_call_waits_for_another_process_that_writes_and_then_says_that_nothing_was_written() {
    let folder = Folder::new();
    let store = folder.with(SqliteStore::options().time_limit(LIMIT)).await;
    assert_eq!(store.insert(&id(1), &record(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
    let other = folder.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let start = Instant::now();
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let store = store.clone();
        calls.spawn(async move {
            match number % 4 {
                0 => store.insert(&id(2 + number), &record(b"1"), LIFETIME).await.map(drop),
                1 => store.update(&id(1), &noting(&record(b"1"), b"2"), LIFETIME).await.map(drop),
                2 => store.touch(&id(1), Epoch(0), LIFETIME).await.map(drop),
                _ => store.destroy(&id(1), None).await.map(drop),
            }
        });
    }
    for call in calls.join_all().await {
        assert_eq!(call.unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
    let took = start.elapsed();
    assert!(took >= LIMIT && took < LIMIT + Duration::from_secs(10), "{took:?}");
    // Reads do not wait.
    assert_eq!(store.load(&id(1)).await.unwrap().unwrap().fields, record(b"1").fields);
    assert_eq!(store.len().await.unwrap(), 1);

    // Nor do they when the only connection also writes.
    let one = folder.with(SqliteStore::options().connections(1).time_limit(LIMIT)).await;
    let (first, ninth, new) = (id(1), id(9), record(b"1"));
    let (loaded, inserted) = tokio::join!(one.load(&first), one.insert(&ninth, &new, LIFETIME));
    assert!(loaded.unwrap().is_some());
    assert_eq!(inserted.unwrap_err().kind(), StoreErrorKind::Unavailable);

    // A call that may still wait is carried out as soon as the other process is done.
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.update(&id(1), &noting(&record(b"1"), b"3"), LIFETIME).await }
    });
    tokio::task::yield_now().await;
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), Updated::Applied { renewed: true });
}

#[tokio::test]
async fn a_missing_table_is_an_error_until_it_is_back() {
    let folder = Folder::new();
    let store = folder.store().await;
    folder.connection().execute_batch("ALTER TABLE sessions RENAME TO elsewhere").unwrap();
    assert!(store.load(&id(1)).await.is_err());
    assert_eq!(store.insert(&id(1), &record(b"1"), LIFETIME).await.unwrap_err().kind(), StoreErrorKind::Refused);
    folder.connection().execute_batch("ALTER TABLE elsewhere RENAME TO sessions").unwrap();
    assert_eq!(store.insert(&id(1), &record(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
    assert!(store.load(&id(1)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r9_a_call_whose_future_is_dropped_happens_completely_or_not_at_all() {
    let folder = Folder::new();
    let store = folder.store().await;
    for number in 0..times(2000) {
        assert_eq!(store.insert(&id(number), &record(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
        let (id, patch) = (id(number), noting(&record(b"1"), b"22"));
        let mut update = Box::pin(store.update(&id, &patch, LIFETIME));
        let _ = poll_once(&mut update);
        if number % 3 == 0 {
            tokio::task::yield_now().await;
        }
        drop(update);
        let mut load = Box::pin(store.load(&id));
        let _ = poll_once(&mut load);
        drop(load);
        let found = store.load(&id).await.unwrap().unwrap();
        assert!([record(b"1").fields, record(b"22").fields].contains(&found.fields));
    }
    // A write that was sent happens, although its caller has stopped waiting.
    let last = store.load(&id(0)).await.unwrap().unwrap();
    assert_eq!(last.fields, record(b"22").fields);
}

/// A clock is the only code on the threads of the store that comes from outside.
struct BrokenClock(Arc<AtomicBool>);

impl Clock for BrokenClock {
    fn elapsed(&self) -> Duration {
        self.unix()
    }

    fn unix(&self) -> Duration {
        assert!(!self.0.load(Ordering::SeqCst), "the clock is broken");
        SystemClock::new().unix()
    }
}

#[tokio::test]
async fn r10_no_call_waits_for_a_thread_that_has_ended() {
    let folder = Folder::new();
    let is_broken = Arc::new(AtomicBool::new(false));
    let options = SqliteStore::options().connections(2).clock(BrokenClock(Arc::clone(&is_broken)));
    let store = Arc::new(folder.with(options).await);
    let _ = store.insert(&id(1), &record(b"1"), LIFETIME).await.unwrap();
    is_broken.store(true, Ordering::SeqCst);
    let soon = Duration::from_secs(60);
    // Several at once: the first ends the thread, and the others wait in its queue.
    let mut calls = JoinSet::new();
    for number in 0..10 {
        let store = Arc::clone(&store);
        calls.spawn(async move {
            let (inserted, loaded) = (
                tokio::time::timeout(soon, store.insert(&id(2 + number), &record(b"1"), LIFETIME)).await,
                tokio::time::timeout(soon, store.load(&id(1))).await,
            );
            (inserted.expect("an answer").unwrap_err().kind(), loaded.expect("an answer").unwrap_err().kind())
        });
    }
    for (inserted, loaded) in calls.join_all().await {
        assert!(matches!(inserted, StoreErrorKind::Unknown | StoreErrorKind::Unavailable), "{inserted:?}");
        assert_eq!(loaded, StoreErrorKind::Unavailable);
    }
}
