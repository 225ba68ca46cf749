//! The public conformance suite.

use http_session::clock::ManualClock;
use http_session::store::conformance::{Outcome, Report, Suite};
use http_session_sqlite::SqliteStore;

use super::Files as _;
use http_session_test_kit::Folder;

/// Only the rule for stores that answer at once is skipped.
fn assert_all_kept(report: &Report) {
    report.assert();
    let skipped = report.findings().iter().filter(|finding| matches!(finding.outcome, Outcome::Skipped(_)));
    let skipped: Vec<_> = skipped.map(|finding| finding.sentence).collect();
    assert_eq!(skipped, ["a store that promises to be instant answers every call at its first poll"]);
}

async fn check(store: SqliteStore, peer: SqliteStore, clock: ManualClock) {
    let suite = Suite::new(store).peer(peer).clock(move |by| clock.advance(by));
    assert_all_kept(&suite.enumerates().clears().indexes().run().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_two_stores_keeps_every_rule() {
    let (folder, clock) = (Folder::new(), ManualClock::new());
    let options = SqliteStore::options().clock(clock.clone());
    let (store, peer) = (folder.with(options.clone()).await, folder.with(options).await);
    check(store, peer, clock).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_and_one_connection_keep_every_rule() {
    let clock = ManualClock::new();
    let store = SqliteStore::options().clock(clock.clone()).connect("sqlite::memory:").await.unwrap();
    check(store.clone(), store, clock).await;
}

/// With the machine's own clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_lifetimes_are_measured_by_the_clock_of_the_machine() {
    let folder = Folder::new();
    let suite = Suite::new(folder.store().await).peer(folder.store().await).indexes().rounds(4);
    suite.run().await.assert();
}
