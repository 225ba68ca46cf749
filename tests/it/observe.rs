//! Checks events, spans and metrics against the manual's tables.

mod manual;
mod scenarios;

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use http_session::Session;

use crate::support::{Events, Numbers, Visit, poll_once, under_way};
use scenarios::{MORE_SCENARIOS, SCENARIOS, Scenario};

/// Events that need a database server. The tests of the store crates check them.
const TESTED_BY_STORES: [&str; 1] = ["session.store.sweep_failed"];

/// The events and metrics of a scenario.
struct Observed {
    lines: Vec<String>,
    numbers: Numbers,
}

/// Runs a scenario while a subscriber opens the request's session at every event.
///
/// The scenario has its own thread, since it would hang if a lock were held while an event is emitted.
fn observe(name: &'static str, scenario: Scenario) -> Observed {
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let events = Events::hooked(|_| {
            if let Some(extensions) = under_way() {
                let mut opened = Box::pin(async move { Session::<Visit>::extract(&extensions).await.is_ok() });
                let _ = poll_once(&mut opened);
            }
        });
        let numbers = Numbers::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        numbers.of(|| scenario(&runtime));
        tell.send(Observed { lines: events.take(), numbers }).unwrap();
    });
    match told.recv_timeout(Duration::from_secs(60)) {
        Ok(observed) => observed,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{name}: a subscriber that opens the session hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().unwrap_err()),
    }
}

#[test]
fn every_event_of_the_manual_is_emitted_at_its_level_and_counted() {
    let table = manual::events();
    let named: BTreeSet<_> = SCENARIOS.iter().map(|(name, _)| *name).chain(TESTED_BY_STORES).collect();
    assert_eq!(
        named,
        table.iter().map(|(name, _)| name.as_str()).collect(),
        "every event of the manual has one scenario"
    );
    let mut wrong = Vec::new();
    for &(name, scenario) in SCENARIOS {
        let observed = observe(name, scenario);
        let (_, level) = table.iter().find(|(known, _)| known == name).unwrap();
        let begin = format!("{name} {} http_session message=", level.to_uppercase());
        let emitted = observed.lines.iter().filter(|line| line.starts_with(&begin)).count();
        let counted = observed.numbers.count("session_events_total", ("event", name));
        if emitted == 0 || counted != emitted as u64 {
            wrong.push(format!(
                "{name}: emitted {emitted} times at level {level}, counted {counted} times: {:#?}",
                observed.lines
            ));
        }
        for line in &observed.lines {
            let known =
                line.starts_with("span ") || table.iter().any(|(name, _)| line.starts_with(&format!("{name} ")));
            assert!(known || !line.contains("http_session"), "{line}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The hash connects the events of one session. Events without a known session have none.
#[test]
fn r26_the_events_of_one_session_carry_one_hash() {
    let mut with = BTreeSet::new();
    for &(name, scenario) in SCENARIOS {
        for line in observe(name, scenario).lines {
            let Some((_, rest)) = line.split_once(" session=") else { continue };
            let tag = rest.split(' ').next().unwrap();
            assert!(tag.len() == 8 && tag.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
            with.insert(line.split(' ').next().unwrap().to_owned());
        }
    }
    let without: Vec<_> = SCENARIOS.iter().map(|(name, _)| *name).filter(|name| !with.contains(*name)).collect();
    let expected = [
        "session.csrf.refused",
        "session.load.failed",
        "session.field.undecodable",
        "session.field.unencodable",
        "session.handle.outlived",
        "session.merge.panicked",
        "session.cookie.unsendable",
        "session.id.invalid",
        "session.headers.full",
        "session.store.timed_out",
        "session.store.panicked",
        "session.store.waited",
        "session.commit.abandoned",
    ];
    assert_eq!(without, expected);
}

#[test]
fn the_metrics_and_labels_are_those_of_the_manual() {
    let manual = manual::metrics();
    let mut seen = BTreeSet::new();
    let scenarios = SCENARIOS.iter().map(|(_, scenario)| scenario).chain(MORE_SCENARIOS);
    for scenario in scenarios {
        let numbers = observe("the numbers", *scenario).numbers;
        let descriptions = numbers.descriptions.lock().unwrap();
        for metric in ["session_events_total", "session_loads_total", "session_commits_total", "session_store_seconds"]
        {
            assert!(descriptions.iter().any(|line| line.starts_with(&format!("{metric}: "))), "{metric} is described");
        }
        for ((metric, labels), count) in &*numbers.counts.lock().unwrap() {
            assert!(*count > 0);
            seen.extend(labels.iter().map(|(key, value)| (metric.clone(), key.clone(), value.clone())));
        }
    }
    let elsewhere =
        TESTED_BY_STORES.map(|name| ("session_events_total".to_owned(), "event".to_owned(), name.to_owned()));
    seen.extend(elsewhere);
    let unknown: Vec<_> = seen.difference(&manual).collect();
    assert!(unknown.is_empty(), "counted, but not in the manual: {unknown:#?}");
    let silent: Vec<_> =
        manual.difference(&seen).map(|(metric, key, value)| format!("{metric} {key}={value}")).collect();
    assert!(silent.is_empty(), "in the manual, but never counted: {silent:#?}");
}

#[test]
fn load_commit_and_each_store_call_are_spans() {
    let (name, scenario) = SCENARIOS.iter().find(|(name, _)| *name == "session.updated").unwrap();
    let lines = observe(name, *scenario).lines;
    for (span, level) in manual::spans() {
        let begin = format!("span {span} {} http_session", level.to_uppercase());
        assert!(lines.iter().any(|line| line.starts_with(&begin)), "{span}: {lines:#?}");
    }
    assert!(lines.iter().any(|line| line.starts_with("span session.store DEBUG http_session call=\"update\"")));
}
