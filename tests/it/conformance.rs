//! The public suite of the store contract: it passes every honest store, and finds every broken store.

#[path = "../../examples/bucket_store.rs"]
#[expect(dead_code, reason = "its `main`")]
mod bucket_store;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use http_session::SessionStore;
use http_session::clock::ManualClock;
use http_session::store::AnyStore;
use http_session::store::conformance::{Outcome, Suite};
use http_session::{MemoryStore, SessionId};

use bucket_store::{Bucket, BucketStore};
use http_session_test_kit::{Flaw, Flawed, assert_all_kept};

fn memory() -> (MemoryStore, ManualClock) {
    let clock = ManualClock::new();
    (MemoryStore::new().clock(clock.clone()), clock)
}

fn suite<S: SessionStore>(store: S, clock: ManualClock) -> Suite<S> {
    Suite::new(store).rounds(4).clock(move |by| clock.advance(by))
}

#[tokio::test]
async fn the_memory_store_keeps_every_rule() {
    let (store, clock) = memory();
    let suite = suite(store.clone(), clock).peer(store).bounded(MemoryStore::new().max_sessions(20));
    let report = suite.enumerates().clears().indexes().express().rounds(40).run().await;
    assert_all_kept(&report);
    let line = report.to_string();
    assert_eq!(line, format!("{} kept, 0 not, 0 skipped", report.findings().len()));
}

#[tokio::test]
async fn a_shared_store_keeps_every_rule() {
    let (store, clock) = memory();
    assert_all_kept(&suite(Arc::new(store), clock).enumerates().clears().express().run().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_store_keeps_every_rule() {
    let (store, clock) = memory();
    assert_all_kept(&suite(AnyStore::new(store.clone()), clock).peer(AnyStore::new(store)).run().await);
}

#[tokio::test]
async fn an_honest_store_is_clean() {
    let store = Flawed::new(Flaw::None);
    let clock = store.clock.clone();
    let suite = suite(store.clone(), clock).peer(store.clone()).bounded(store.small());
    suite.enumerates().clears().indexes().run().await.assert();
}

/// The store in the guide for authors of stores.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_of_the_guide_keeps_every_rule() {
    let clock = ManualClock::new();
    let bucket = Bucket::new(clock.clone());
    let suite = suite(BucketStore::new(bucket.clone()), clock).peer(BucketStore::new(bucket));
    suite.run().await.assert();
}

#[tokio::test]
async fn a_store_with_a_clock_of_its_own_is_waited_for() {
    let report = Suite::new(MemoryStore::new()).enumerates().rounds(1).run().await;
    report.assert();
    let waited =
        report.findings().iter().filter(|finding| finding.rule == "R7" && matches!(finding.outcome, Outcome::Kept));
    assert!(waited.count() > 0);
}

#[tokio::test]
async fn r7_broken_stores_are_found_by_waiting_too() {
    let report = |flaw| Suite::new(Flawed::running(flaw)).tick(Duration::from_millis(200)).only("R7").run();
    let flaws = [Flaw::TouchShortens, Flaw::AbsoluteEndIgnored, Flaw::AgesStandStill, Flaw::NeverExpires];
    let (a, b, c, d) = tokio::join!(report(flaws[0]), report(flaws[1]), report(flaws[2]), report(flaws[3]));
    for (flaw, report) in flaws.iter().zip([a, b, c, d]) {
        let stood_still = report.findings().iter().any(|finding| matches!(finding.outcome, Outcome::Skipped(_)));
        assert!(report.faults().count() > 0 || stood_still, "{flaw:?}: {report}");
    }
}

/// Here every wait takes longer than a session lives.
#[tokio::test]
async fn a_machine_that_stands_still_is_no_broken_store() {
    let suite = Suite::new(MemoryStore::new()).tick(Duration::from_micros(50)).only("R7");
    let report = suite.run().await;
    assert_eq!(report.faults().count(), 0, "{report}");
}

/// Each flaw, and the rule that it breaks.
async fn found(flaws: &[(Flaw, &str)]) {
    found_in(4, flaws).await;
}

async fn found_in(rounds: usize, flaws: &[(Flaw, &str)]) {
    let mut missed = Vec::new();
    for (flaw, rule) in flaws {
        let store = Flawed::new(*flaw);
        let (clock, small) = (store.clock.clone(), store.small());
        let report = suite(store, clock).rounds(rounds).enumerates().clears().indexes().bounded(small).run().await;
        if !report.faults().any(|finding| finding.rule == *rule) {
            missed.push(format!("{flaw:?} should break {rule}:\n{report}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
}

#[tokio::test]
async fn r8_stores_that_create_or_overwrite_are_found() {
    found(&[
        (Flaw::InsertOverwrites, "R8"),
        (Flaw::InsertOverwritesTombstone, "R8"),
        (Flaw::UpdateCreates, "R8"),
        (Flaw::UpdateResurrects, "R8"),
        (Flaw::NoTombstone, "R6"),
        (Flaw::TombstoneKeepsValues, "R6"),
        (Flaw::TombstoneAsLongAsTheRecord, "R6"),
    ])
    .await;
}

#[tokio::test]
async fn r4_stores_that_lose_the_epoch_are_found() {
    found(&[
        (Flaw::UpdateIgnoresEpoch, "R4"),
        (Flaw::TouchIgnoresEpoch, "R4"),
        (Flaw::DestroyIgnoresEpoch, "R4"),
        (Flaw::RotationKeepsPrevious, "R4"),
        (Flaw::RenewalRaisesEpoch, "R6"),
        (Flaw::PreviousRenews, "R6"),
        (Flaw::LostRenewalLosesPatch, "R6"),
        (Flaw::IdentityEpochStays, "R5"),
    ])
    .await;
}

#[tokio::test]
async fn r7_stores_that_cannot_tell_the_time_are_found() {
    found(&[
        (Flaw::TouchShortens, "R7"),
        (Flaw::AbsoluteEndIgnored, "R7"),
        (Flaw::SetNeverShortens, "R7"),
        (Flaw::AgesStandStill, "R7"),
        (Flaw::InsertKeepsGivenAges, "R7"),
        (Flaw::LoadExtends, "R7"),
        (Flaw::UnchangedIsActivity, "R7"),
        (Flaw::SignInKeepsIdentityAge, "R7"),
        (Flaw::RotationRestartsAbsolute, "R7"),
        (Flaw::NeverExpires, "R7"),
    ])
    .await;
}

#[tokio::test]
async fn r9_stores_that_write_more_or_less_than_the_patch_are_found() {
    found(&[
        (Flaw::WritesBeforeConflict, "R9"),
        (Flaw::UnknownFieldsLost, "R17"),
        (Flaw::OlderNamesStay, "R15"),
        (Flaw::LastWriteWins, "R10"),
        (Flaw::MergesByItself, "R10"),
        (Flaw::StaleConflict, "R10"),
        (Flaw::GateIgnored, "R13"),
        (Flaw::LimitIgnored, "R14"),
        (Flaw::FullWritesAllTheSame, "R14"),
    ])
    .await;
}

#[tokio::test]
async fn r16_stores_that_change_what_they_keep_are_found() {
    found(&[
        (Flaw::MarksLost, "R5"),
        (Flaw::CookieAttributesLost, "R21"),
        (Flaw::ValuesNormalised, "R16"),
        (Flaw::EmptyIsAbsent, "R16"),
        (Flaw::HashCutAtZero, "R1"),
        (Flaw::IdsIgnoreCase, "R2"),
        (Flaw::NamesDestroyed, "enumerate"),
        (Flaw::NamesExpired, "enumerate"),
        (Flaw::PagesLeaveOut, "enumerate"),
    ])
    .await;
}

#[tokio::test]
async fn r9_stores_that_race_are_found() {
    found_in(
        20,
        &[
            (Flaw::LostUpdate, "R9"),
            (Flaw::TornWrite, "R9"),
            (Flaw::TouchWritesDataBack, "R7"),
            (Flaw::RacingInsert, "R8"),
            (Flaw::OnlySeemsInstant, "R18"),
        ],
    )
    .await;
}

#[tokio::test]
async fn r28_stores_that_lose_sessions_of_an_identity_are_found() {
    found(&[
        (Flaw::LinksLost, "R28"),
        (Flaw::LinkShortens, "R28"),
        (Flaw::UnlinksAtOnce, "R28"),
        (Flaw::GenerationLost, "R28"),
        (Flaw::LinkAnswersNoGeneration, "R28"),
        (Flaw::IdentitiesNormalised, "R28"),
    ])
    .await;
}

#[tokio::test]
async fn a_store_that_panics_breaks_the_checks_that_ask_it() {
    let store = Flawed::new(Flaw::Panics);
    let clock = store.clock.clone();
    let report = suite(store, clock).only("R17").run().await;
    assert_eq!(report.faults().count(), report.findings().len(), "{report}");
    let panic = catch_unwind(AssertUnwindSafe(|| report.assert())).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("broken: the store panicked"));
}

#[tokio::test]
async fn a_suite_that_checks_nothing_does_not_pass() {
    let report = Suite::new(MemoryStore::new()).only("no rule").run().await;
    assert!(catch_unwind(AssertUnwindSafe(|| report.assert())).is_err());
}

/// The suite leaves only tombstones behind.
#[tokio::test]
async fn the_suite_destroys_its_sessions() {
    use http_session::store::EnumerateSessions as _;
    let (store, clock) = memory();
    let other = SessionId::try_from("somebody's own").unwrap();
    let record = http_session::record::Record::new(http_session::record::VerifierHash([7; 32]));
    let day = Duration::from_secs(86_400);
    let lifetime = http_session::record::Lifetime::new(30 * day, 30 * day);
    let _ = store.insert(&other, &record, lifetime).await.unwrap();
    suite(store.clone(), clock).enumerates().express().run().await.assert();
    assert_eq!(store.ids(None, 1000).await.unwrap().ids, [other]);
}
