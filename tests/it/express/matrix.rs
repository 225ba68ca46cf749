//! Every recorded decision of the real express-session, replayed.

use std::collections::BTreeMap;

use http_session::MemoryStore;
use http_session::store::ExpressFormat;

use super::difference::Difference;
use super::play::{Entry, Outcome, Record, play};
use crate::support::Faulty;

/// How many of the records each difference touches. A record may be touched by two.
const COUNTS: [(Difference, usize); 8] = [
    (Difference::DoubleDestroy, 32),
    (Difference::NeverStoredNotDestroyed, 960),
    (Difference::NeverStoredNotReread, 576),
    (Difference::TouchAfterSave, 96),
    (Difference::SecondSaveAfterRegenerate, 256),
    (Difference::OrphanGetsItsCookie, 192),
    (Difference::InsertBeforeDestroy, 192),
    (Difference::WriteThenModify, 128),
];

/// Records that no difference touches: they are as in express, byte for byte.
const EQUAL: usize = 2784;

fn records() -> Vec<Record> {
    let records = include_str!("../../data/decision-matrix.jsonl").lines();
    let records: Vec<Record> = records.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 4864);
    records
}

fn differences(record: &Record) -> impl Iterator<Item = Difference> {
    Difference::ALL.into_iter().filter(|difference| difference.applies(record))
}

/// What is expected here: express's outcome, rewritten by the differences that apply.
fn expected(record: &Record) -> Outcome {
    differences(record).fold(record.recorded(), |outcome, difference| difference.rewrite(record, outcome))
}

/// Plays all records and tells all that come out otherwise, the first of each kind in full.
async fn replay<S>(entry: Entry, is_instant: bool, over: impl Fn(MemoryStore) -> S)
where
    S: ExpressFormat + Clone,
{
    let mut failures: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for record in records() {
        let (outcome, expected) = (play(&record, entry, is_instant, &over).await, expected(&record));
        if outcome != expected {
            let kind = format!("{:?} {:?}", record.incoming, record.handler);
            let first = format!("{record:?}\n    expected {expected:?}\n    came out {outcome:?}");
            failures.entry(kind).or_insert((0, first)).0 += 1;
        }
    }
    let report: Vec<_> = failures.iter().map(|(kind, (count, first))| format!("{kind}: {count}\n  {first}")).collect();
    assert!(failures.is_empty(), "not as in express, by no named difference:\n{}", report.join("\n"));
}

#[tokio::test]
async fn every_recorded_decision_is_replayed_by_a_service_on_an_instant_store() {
    replay(Entry::Service, true, |memory| memory).await;
}

#[tokio::test]
async fn every_recorded_decision_is_replayed_by_a_service_on_a_store_that_waits() {
    replay(Entry::Service, false, Faulty::new).await;
}

#[tokio::test]
async fn every_recorded_decision_is_replayed_by_a_layer_on_an_instant_store() {
    replay(Entry::Layer, true, |memory| memory).await;
}

#[tokio::test]
async fn every_recorded_decision_is_replayed_by_a_layer_on_a_store_that_waits() {
    replay(Entry::Layer, false, Faulty::new).await;
}

#[test]
fn each_difference_changes_every_record_that_it_applies_to() {
    for record in records() {
        let mut outcome = record.recorded();
        for difference in differences(&record) {
            let rewritten = difference.rewrite(&record, outcome.clone());
            assert_ne!(rewritten, outcome, "{difference:?} is vacuous in {record:?}");
            outcome = rewritten;
        }
    }
}

#[test]
fn the_differences_touch_exactly_so_many_records() {
    let records = records();
    let count = |difference: Difference| records.iter().filter(|record| difference.applies(record)).count();
    let counts = Difference::ALL.map(|difference| (difference, count(difference)));
    let equal = records.iter().filter(|record| differences(record).next().is_none()).count();
    let mut table = String::from("  records  difference\n");
    for (difference, count) in counts {
        table.push_str(&format!("{count:6}  {difference:?}\n"));
    }
    table.push_str(&format!("{equal:6}  of {} as in express\n", records.len()));
    std::io::Write::write_all(&mut std::io::stdout(), table.as_bytes()).unwrap();
    assert_eq!(counts, COUNTS);
    assert_eq!(equal, EQUAL);
}
