//! The random histories of `model`, on every store and in real time.

use http_session::MemoryStore;
use http_session::store::AnyStore;

use crate::model::{Bench, failures};
use crate::support::times;
use http_session_test_kit::servers;
use http_session_test_kit::{Flaw, Flawed};

use super::{connect, name_of};
use http_session_test_kit::Folder;

/// Histories on a store that answers in microseconds, in CI.
const SWIFT: u64 = 2000;
/// Histories on a server.
const SERVED: u64 = 1000;

/// Each of two threads connects for itself.
fn assert_no_history_breaks_a_rule<F: Future<Output = AnyStore>>(count: u64, connect: impl Fn() -> F + Sync) {
    let failures = failures(count, || Bench::on(connect()));
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn assert_none_breaks_a_rule_on(url: &str, count: u64) {
    let name = name_of("model");
    assert_no_history_breaks_a_rule(times(count), || connect(url, &name));
}

#[test]
fn no_history_breaks_a_rule_on_memory() {
    assert_no_history_breaks_a_rule(times(20_000), async || AnyStore::new(MemoryStore::new()));
}

#[test]
fn no_history_breaks_a_rule_on_sqlite() {
    let folder = Folder::new();
    assert_none_breaks_a_rule_on(&folder.url(), SWIFT);
}

#[test]
fn no_history_breaks_a_rule_on_redis() {
    let Some(server) = servers::redis("random histories on Redis") else { return };
    assert_none_breaks_a_rule_on(server.url(), SERVED);
}

#[test]
fn no_history_breaks_a_rule_on_redis_cluster() {
    let Some(server) = servers::redis_cluster("random histories on Redis Cluster") else { return };
    assert_none_breaks_a_rule_on(server.url(), SERVED);
}

#[test]
fn no_history_breaks_a_rule_on_postgres() {
    let Some(server) = servers::postgres("random histories on PostgreSQL") else { return };
    assert_none_breaks_a_rule_on(server.url(), SERVED);
}

/// A store that waits, free of flaws except the given one.
async fn flawed(flaw: Flaw) -> AnyStore {
    AnyStore::new(Flawed::running(flaw))
}

#[test]
fn no_history_breaks_a_rule_on_a_store_that_waits() {
    assert_no_history_breaks_a_rule(times(20_000), || flawed(Flaw::None));
}

/// Those that need no time, no id that comes twice, and no two calls at the same moment.
#[test]
fn a_flaw_of_a_store_breaks_a_rule() {
    const ENOUGH: u64 = 1000;
    let caught = |flaw| {
        let bench = Bench::on(flawed(flaw));
        (0..ENOUGH).any(|seed| bench.run(seed, u64::MAX).is_err())
    };
    let flaws = [
        Flaw::UpdateResurrects,
        Flaw::NoTombstone,
        Flaw::TombstoneKeepsValues,
        Flaw::UpdateIgnoresEpoch,
        Flaw::TouchIgnoresEpoch,
        Flaw::DestroyIgnoresEpoch,
        Flaw::RotationKeepsPrevious,
        Flaw::RenewalRaisesEpoch,
        Flaw::PreviousRenews,
        Flaw::LostRenewalLosesPatch,
        Flaw::IdentityEpochStays,
        Flaw::WritesBeforeConflict,
        Flaw::UnknownFieldsLost,
        Flaw::LastWriteWins,
        Flaw::StaleConflict,
        Flaw::GateIgnored,
        Flaw::MarksLost,
        Flaw::HashCutAtZero,
    ];
    let missed: Vec<_> = flaws.into_iter().filter(|flaw| !caught(*flaw)).collect();
    assert_eq!(missed, []);
}
