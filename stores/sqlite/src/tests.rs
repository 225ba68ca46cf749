//! What a store does when there is no room: the connection of its writer gets a bound that no option sets.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use http_session_store::error::StoreErrorKind;
use http_session_store::record::{Epoch, Field, Fields, Keep, Lifetime, Patch, Record, VerifierHash};
use http_session_store::{Destroyed, EnumerateSessions as _, Inserted, SessionId, SessionStore as _, Touched};
use http_session_test_kit::{Folder, poll_once};
use rusqlite::Connection;

use crate::open::{Opening, open_file};
use crate::{SqliteOptions, SqliteStore};

const DAY: Duration = Duration::from_secs(24 * 3600);
const LIFETIME: Lifetime = Lifetime::new(DAY, DAY.saturating_mul(30));

static NOTE: Field = Field::new("note");

fn id(number: u64) -> SessionId {
    SessionId::try_from(format!("session {number:014}").as_str()).unwrap()
}

fn record(note: &[u8]) -> Record {
    Record::new(VerifierHash([7; 32])).with_fields(Fields::from_iter([("note", Keep::No, note)]))
}

/// A store in whose file there is room for this many pages.
fn bounded(folder: &Folder, pages: i64) -> SqliteStore {
    let connection = open_file(&folder.file()).unwrap();
    connection.pragma_update(None, "max_page_count", pages).unwrap();
    let (writer, store) = Opening::new(SqliteOptions::new()).unwrap().start(connection, Some(&folder.file())).unwrap();
    std::thread::spawn(move || writer.run());
    store
}

fn connection(folder: &Folder) -> Connection {
    let connection = Connection::open(folder.file()).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

/// Inserts records of these sizes in one transaction, since all calls wait for another connection.
async fn insert_together(
    store: &Arc<SqliteStore>,
    sizes: &[usize],
    folder: &Folder,
) -> Vec<Result<Inserted, StoreErrorKind>> {
    let other = connection(folder);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let records: Vec<_> = sizes.iter().map(|size| record(&vec![b'x'; *size])).collect();
    let ids: Vec<_> = (0..).map(id).take(sizes.len()).collect();
    let mut calls: Vec<_> =
        ids.iter().zip(&records).map(|(id, record)| Box::pin(store.insert(id, record, LIFETIME))).collect();
    calls.iter_mut().for_each(|call| assert!(poll_once(call).is_pending()));
    other.execute_batch("COMMIT").unwrap();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.map_err(|error| error.kind()));
    }
    answers
}

#[tokio::test]
async fn r9_a_write_that_finds_no_room_undoes_none_of_the_others() {
    let folder = Folder::new();
    let store = Arc::new(bounded(&folder, 40));
    let mut sizes = [100; 40];
    (sizes[7], sizes[20]) = (1_000_000, 500_000);
    let answers = insert_together(&store, &sizes, &folder).await;
    for (number, (answer, size)) in (0..).zip(answers.iter().zip(sizes)) {
        let stored = store.load(&id(number)).await.unwrap();
        if size == 100 {
            assert_eq!(*answer, Ok(Inserted::Inserted), "{number}");
            assert_eq!(stored.unwrap().fields, record(&[b'x'; 100]).fields, "{number}");
        } else {
            assert_eq!((*answer, stored), (Err(StoreErrorKind::Full), None), "{number}");
        }
    }
}

/// Fills the store. What was acknowledged is stored, and what was refused is not.
async fn fill(store: &SqliteStore) -> u64 {
    let note = vec![b'x'; 10_000];
    let mut stored = 0;
    loop {
        match store.insert(&id(stored), &record(&note), LIFETIME).await {
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
        assert_eq!(store.load(&id(number)).await.unwrap().unwrap().fields, record(&note).fields);
    }
    assert!(store.load(&id(stored)).await.unwrap().is_none());
    stored
}

#[tokio::test]
async fn r14_a_full_file_says_so_and_signed_in_users_can_still_sign_out() {
    let folder = Folder::new();
    let store = bounded(&folder, 60);
    let stored = fill(&store).await;
    let mut grown = Patch::unchanged(&record(&vec![b'x'; 10_000]));
    grown.result = record(&vec![b'y'; 100_000]).fields;
    grown.write(&NOTE);
    assert_eq!(store.update(&id(0), &grown, LIFETIME).await.unwrap_err().kind(), StoreErrorKind::Full);
    assert_eq!(store.touch(&id(0), Epoch(0), LIFETIME).await.unwrap(), Touched::Applied);
    assert_eq!(store.destroy(&id(0), None).await.unwrap(), Destroyed::Destroyed);
    assert_eq!(store.insert(&id(stored), &record(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
}

/// A disk of one megabyte, if the tests may mount one.
struct SmallDisk(Folder);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = Folder::new();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&folder.0);
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        if !is_mounted {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "a small disk cannot be mounted here");
            // Not with `eprintln!`, which the harness captures.
            let _ = writeln!(std::io::stderr(), "not run: a full disk, since a small one cannot be mounted here");
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
    let store = SqliteStore::connect(&folder.url()).await.unwrap();
    let stored = fill(&store).await;
    for _ in 0..20 {
        let refused = store.insert(&id(stored), &record(&[b'x'; 60_000]), LIFETIME).await;
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Full);
    }
    fs::remove_file(filler).unwrap();
    assert_eq!(store.insert(&id(stored), &record(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
    drop(store);

    let again = SqliteStore::connect(&folder.url()).await.unwrap();
    assert_eq!(u64::try_from(again.len().await.unwrap()).unwrap(), stored + 1);
    let check: String = connection(folder).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}
