//! Group commit: writes at the same moment wait for the disk once.

use std::fs;

use http_session::SessionStore as _;
use http_session::store::Inserted;
use tokio::task::JoinSet;

use super::{Files as _, LIFETIME, id, record};
use http_session_test_kit::Folder;

/// The transactions in the log. The last frame of each tells the size of the file after it; in the other frames that is zero.
/// <https://sqlite.org/fileformat2.html#the_write_ahead_log>
fn transactions(folder: &Folder) -> usize {
    const HEADER: usize = 32;
    const FRAME: usize = 24 + 4096;
    let log = fs::read(folder.0.join("sessions.db-wal")).unwrap();
    let frames = log[HEADER..].chunks_exact(FRAME);
    frames.filter(|frame| frame[4..8] != [0; 4]).count()
}

#[tokio::test]
async fn writes_at_the_same_moment_share_a_transaction() {
    const CALLS: u64 = 64;
    let folder = Folder::new();
    let store = folder.store().await;
    for number in 0..3 {
        assert_eq!(store.insert(&id(1000 + number), &record(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
    }
    let before = transactions(&folder);
    assert!(before >= 3, "each of them has its own transaction: {before}");

    // All of them arrive while another process writes, and the first waits for it.
    let other = folder.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let store = store.clone();
        calls.spawn(async move { store.insert(&id(number), &record(b"1"), LIFETIME).await });
    }
    tokio::task::yield_now().await;
    other.execute_batch("COMMIT").unwrap();
    for inserted in calls.join_all().await {
        assert_eq!(inserted.unwrap(), Inserted::Inserted);
    }
    let shared = transactions(&folder) - before;
    assert!((1..=2).contains(&shared), "the first, and the others: {shared}");
}
