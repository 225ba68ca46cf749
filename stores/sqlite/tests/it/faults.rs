//! When things fail: what is said is true, it is said in time, and the store recovers by itself.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http_session::SessionStore;
use http_session::clock::{Clock, SystemClock};
use http_session::error::StoreErrorKind;
use http_session::record::Epoch;
use http_session::store::{Destroyed, EnumerateSessions as _, Inserted, Touched, Updated};
use http_session_sqlite::SqliteStore;
use tokio::task::JoinSet;

use super::{Files as _, LIFETIME, id, noting, row};
use http_session_test_kit::Folder;
use http_session_test_kit::{poll_once, times};

const LIMIT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn r10_while_another_process_writes_a_call_waits_and_is_then_told_that_nothing_was_written() {
    let folder = Folder::new();
    let store = folder.with(SqliteStore::options().time_limit(LIMIT)).await;
    assert_eq!(store.insert(&id(1), &row(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
    let other = folder.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let start = Instant::now();
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let store = store.clone();
        calls.spawn(async move {
            match number % 4 {
                0 => store.insert(&id(2 + number), &row(b"1"), LIFETIME).await.map(drop),
                1 => store.update(&id(1), &noting(&row(b"1"), b"2"), LIFETIME).await.map(drop),
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
    // Who reads waits for nobody.
    assert_eq!(store.load(&id(1)).await.unwrap().unwrap().fields, row(b"1").fields);
    assert_eq!(store.len().await.unwrap(), 1);

    // Also where the connection that reads is the one that writes.
    let one = folder.with(SqliteStore::options().connections(1).time_limit(LIMIT)).await;
    let (first, ninth, row_of_it) = (id(1), id(9), row(b"1"));
    let (loaded, inserted) = tokio::join!(one.load(&first), one.insert(&ninth, &row_of_it, LIFETIME));
    assert!(loaded.unwrap().is_some());
    assert_eq!(inserted.unwrap_err().kind(), StoreErrorKind::Unavailable);

    // One who still may wait gets through as soon as the other is done.
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.update(&id(1), &noting(&row(b"1"), b"3"), LIFETIME).await }
    });
    tokio::task::yield_now().await;
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), Updated::Applied { renewed: true });
}

/// Calls that are in one transaction, since all of them wait for another process.
async fn together<S: SessionStore>(
    store: &Arc<S>,
    sizes: &[usize],
    folder: &Folder,
) -> Vec<Result<Inserted, StoreErrorKind>> {
    let other = folder.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let rows: Vec<_> = sizes.iter().map(|size| row(&vec![b'x'; *size])).collect();
    let ids: Vec<_> = (0..).map(id).take(sizes.len()).collect();
    let mut calls: Vec<_> = ids.iter().zip(&rows).map(|(id, row)| Box::pin(store.insert(id, row, LIFETIME))).collect();
    calls.iter_mut().for_each(|call| assert!(poll_once(call).is_pending()));
    other.execute_batch("COMMIT").unwrap();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.map_err(|error| error.kind()));
    }
    answers
}

/// A store in whose file there is room for so many pages.
async fn bounded(folder: &Folder, pages: i64) -> SqliteStore {
    let connection = folder.connection();
    connection.pragma_update(None, "max_page_count", pages).unwrap();
    SqliteStore::options().with_connection(connection).await.unwrap()
}

#[tokio::test]
async fn r9_one_that_finds_no_room_undoes_none_of_those_beside_it() {
    let folder = Folder::new();
    let store = Arc::new(bounded(&folder, 40).await);
    let mut sizes = [100; 40];
    (sizes[7], sizes[20]) = (1_000_000, 500_000);
    let answers = together(&store, &sizes, &folder).await;
    for (number, (answer, size)) in (0..).zip(answers.iter().zip(sizes)) {
        let stored = store.load(&id(number)).await.unwrap();
        if size == 100 {
            assert_eq!(*answer, Ok(Inserted::Inserted), "{number}");
            assert_eq!(stored.unwrap().fields, row(&[b'x'; 100]).fields, "{number}");
        } else {
            assert_eq!((*answer, stored), (Err(StoreErrorKind::Full), None), "{number}");
        }
    }
}

/// Fills the store; what was acknowledged is there, what was not is not, and ending sessions makes room.
async fn fill(store: &SqliteStore) -> u64 {
    let note = vec![b'x'; 10_000];
    let mut stored = 0;
    loop {
        match store.insert(&id(stored), &row(&note), LIFETIME).await {
            Ok(inserted) => assert_eq!(inserted, Inserted::Inserted),
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Full);
                break;
            }
        }
        stored += 1;
        assert!(stored < 10_000, "it becomes full");
    }
    assert!(stored > 0);
    for number in 0..stored {
        assert_eq!(store.load(&id(number)).await.unwrap().unwrap().fields, row(&note).fields);
    }
    assert!(store.load(&id(stored)).await.unwrap().is_none());
    stored
}

#[tokio::test]
async fn r14_a_full_file_says_so_and_whoever_is_there_can_still_sign_out() {
    let folder = Folder::new();
    let store = bounded(&folder, 60).await;
    let stored = fill(&store).await;
    let grown = noting(&row(&vec![b'x'; 10_000]), &vec![b'y'; 100_000]);
    assert_eq!(store.update(&id(0), &grown, LIFETIME).await.unwrap_err().kind(), StoreErrorKind::Full);
    assert_eq!(store.touch(&id(0), Epoch(0), LIFETIME).await.unwrap(), Touched::Applied);
    assert_eq!(store.destroy(&id(0), None).await.unwrap(), Destroyed::Destroyed);
    assert_eq!(store.insert(&id(stored), &row(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
}

/// A disk of a megabyte, where the tests may make one.
struct SmallDisk(Folder);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = Folder::new();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&folder.0);
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        if !is_mounted {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "nobody may mount a small disk here");
            // Past what the harness captures.
            let _ = writeln!(std::io::stderr(), "not run: a full disk, since nobody may mount a small one here");
        }
        is_mounted.then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0.0).status();
    }
}

#[tokio::test]
async fn r10_a_full_disk_says_so_and_is_used_again_when_there_is_room() {
    let Some(SmallDisk(folder)) = &SmallDisk::mount() else { return };
    let filler = folder.0.join("filler");
    fs::write(&filler, vec![0; 300_000]).unwrap();
    let store = folder.store().await;
    let stored = fill(&store).await;
    for _ in 0..20 {
        assert_eq!(
            store.insert(&id(stored), &row(&[b'x'; 60_000]), LIFETIME).await.unwrap_err().kind(),
            StoreErrorKind::Full
        );
    }
    fs::remove_file(filler).unwrap();
    assert_eq!(store.insert(&id(stored), &row(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
    drop(store);

    let again = folder.store().await;
    assert_eq!(u64::try_from(again.len().await.unwrap()).unwrap(), stored + 1);
    let check: String = folder.connection().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn a_table_that_is_gone_is_an_error_until_it_is_back() {
    let folder = Folder::new();
    let store = folder.store().await;
    folder.connection().execute_batch("ALTER TABLE sessions RENAME TO elsewhere").unwrap();
    assert!(store.load(&id(1)).await.is_err());
    assert_eq!(store.insert(&id(1), &row(b"1"), LIFETIME).await.unwrap_err().kind(), StoreErrorKind::Refused);
    folder.connection().execute_batch("ALTER TABLE elsewhere RENAME TO sessions").unwrap();
    assert_eq!(store.insert(&id(1), &row(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
    assert!(store.load(&id(1)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r9_a_call_that_is_given_up_leaves_all_or_nothing() {
    let folder = Folder::new();
    let store = folder.store().await;
    for number in 0..times(2000) {
        assert_eq!(store.insert(&id(number), &row(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
        let (id, patch) = (id(number), noting(&row(b"1"), b"22"));
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
        assert!([row(b"1").fields, row(b"22").fields].contains(&found.fields));
    }
    // A write that was sent happens, though nobody waits for it.
    let last = store.load(&id(0)).await.unwrap().unwrap();
    assert_eq!(last.fields, row(b"22").fields);
}

/// The only code of somebody else's on the threads of the store.
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
async fn r10_when_a_thread_of_the_store_has_ended_nobody_waits_for_it() {
    let folder = Folder::new();
    let is_broken = Arc::new(AtomicBool::new(false));
    let options = SqliteStore::options().connections(2).clock(BrokenClock(Arc::clone(&is_broken)));
    let store = Arc::new(folder.with(options).await);
    let _ = store.insert(&id(1), &row(b"1"), LIFETIME).await.unwrap();
    is_broken.store(true, Ordering::SeqCst);
    let soon = Duration::from_secs(60);
    // Several at once: one breaks the thread, the others stand in its queue.
    let mut calls = JoinSet::new();
    for number in 0..10 {
        let store = Arc::clone(&store);
        calls.spawn(async move {
            let (inserted, loaded) = (
                tokio::time::timeout(soon, store.insert(&id(2 + number), &row(b"1"), LIFETIME)).await,
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
