//! Replays every decision that was recorded from the real express-session.

use std::collections::BTreeMap;

use http_session::MemoryStore;
use http_session::store::ExpressFormat;

use super::difference::Difference;
use super::play::{Decision, Outcome, Wiring, play};
use crate::support::Faulty;

/// How many decisions each difference changes. A decision may be changed by two differences.
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

/// How many decisions no difference changes: they are the same as in express, byte for byte.
const EQUAL: usize = 2784;

fn decisions() -> Vec<Decision> {
    let decisions = include_str!("../../data/decision-matrix.jsonl").lines();
    let decisions: Vec<Decision> = decisions.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(decisions.len(), 4864);
    decisions
}

fn differences(decision: &Decision) -> impl Iterator<Item = Difference> {
    Difference::ALL.into_iter().filter(|difference| difference.applies(decision))
}

/// Returns the outcome that is expected here: express's outcome, rewritten by the differences that apply.
fn expected(decision: &Decision) -> Outcome {
    differences(decision).fold(decision.recorded(), |outcome, difference| difference.rewrite(decision, outcome))
}

/// Replays all decisions and reports those with an unexpected outcome, the first of each kind in full.
async fn replay<S>(wiring: Wiring, is_instant: bool, over: impl Fn(MemoryStore) -> S)
where
    S: ExpressFormat + Clone,
{
    let mut failures: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for decision in decisions() {
        let (outcome, expected) = (play(&decision, wiring, is_instant, &over).await, expected(&decision));
        if outcome != expected {
            let kind = format!("{:?} {:?}", decision.incoming, decision.handler);
            let first = format!("{decision:?}\n    expected {expected:?}\n    actual   {outcome:?}");
            failures.entry(kind).or_insert((0, first)).0 += 1;
        }
    }
    let report: Vec<_> = failures.iter().map(|(kind, (count, first))| format!("{kind}: {count}\n  {first}")).collect();
    assert!(
        failures.is_empty(),
        "these differ from express, and no named difference explains it:\n{}",
        report.join("\n")
    );
}

#[tokio::test]
async fn every_recorded_decision_is_replayed_by_a_service_on_an_instant_store() {
    replay(Wiring::Service, true, |memory| memory).await;
}

#[tokio::test]
async fn every_recorded_decision_is_replayed_by_a_service_on_a_waiting_store() {
    replay(Wiring::Service, false, Faulty::new).await;
}

#[tokio::test]
async fn every_recorded_decision_is_replayed_by_a_layer_on_an_instant_store() {
    replay(Wiring::Layer, true, |memory| memory).await;
}

#[tokio::test]
async fn every_recorded_decision_is_replayed_by_a_layer_on_a_waiting_store() {
    replay(Wiring::Layer, false, Faulty::new).await;
}

#[test]
fn each_difference_changes_every_decision_that_it_applies_to() {
    for decision in decisions() {
        let mut outcome = decision.recorded();
        for difference in differences(&decision) {
            let rewritten = difference.rewrite(&decision, outcome.clone());
            assert_ne!(rewritten, outcome, "{difference:?} changes nothing in {decision:?}");
            outcome = rewritten;
        }
    }
}

#[test]
fn each_difference_applies_to_a_known_number_of_decisions() {
    let decisions = decisions();
    let count = |difference: Difference| decisions.iter().filter(|decision| difference.applies(decision)).count();
    let counts = Difference::ALL.map(|difference| (difference, count(difference)));
    let equal = decisions.iter().filter(|decision| differences(decision).next().is_none()).count();
    let mut table = String::from("  decisions  difference\n");
    for (difference, count) in counts {
        table.push_str(&format!("{count:6}  {difference:?}\n"));
    }
    table.push_str(&format!("{equal:6}  of {} are as in express\n", decisions.len()));
    std::io::Write::write_all(&mut std::io::stdout(), table.as_bytes()).unwrap();
    assert_eq!(counts, COUNTS);
    assert_eq!(equal, EQUAL);
}
