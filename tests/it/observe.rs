//! What operators see: events, spans and numbers, against the manual's tables.

mod manual;
mod scenarios;

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use http_session::Session;

use crate::support::{Events, Numbers, Visit, poll_once, under_way};
use scenarios::{MORE, SCENARIOS, Scenario};

/// Said by a store that needs a server, so its tests look for these.
const ELSEWHERE: [&str; 1] = ["session.store.sweep_failed"];

/// What a scenario said and counted.
struct Heard {
    lines: Vec<String>,
    numbers: Numbers,
}

/// Runs a scenario while a subscriber opens the request's session with every event, in the middle of what is going on.
///
/// On a thread of its own: a lock that is held while an event is said would make it hang.
fn hear(name: &'static str, scenario: Scenario) -> Heard {
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
        tell.send(Heard { lines: events.take(), numbers }).unwrap();
    });
    match told.recv_timeout(Duration::from_secs(60)) {
        Ok(heard) => heard,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{name}: a subscriber cannot open the session: it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().unwrap_err()),
    }
}

#[test]
fn every_event_of_the_manual_happens_with_its_level_and_is_counted() {
    let table = manual::events();
    let named: BTreeSet<_> = SCENARIOS.iter().map(|(name, _)| *name).chain(ELSEWHERE).collect();
    assert_eq!(named, table.iter().map(|(name, _)| name.as_str()).collect(), "one scenario for each event");
    let mut wrong = Vec::new();
    for &(name, scenario) in SCENARIOS {
        let heard = hear(name, scenario);
        let (_, level) = table.iter().find(|(known, _)| known == name).unwrap();
        let begin = format!("{name} {} http_session message=", level.to_uppercase());
        let said = heard.lines.iter().filter(|line| line.starts_with(&begin)).count();
        let counted = heard.numbers.count("session_events_total", ("event", name));
        if said == 0 || counted != said as u64 {
            wrong.push(format!(
                "{name}: said {said} times at level {level}, counted {counted} times: {:#?}",
                heard.lines
            ));
        }
        for line in &heard.lines {
            let known =
                line.starts_with("span ") || table.iter().any(|(name, _)| line.starts_with(&format!("{name} ")));
            assert!(known || !line.contains("http_session"), "{line}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Where a session is known its events can be joined.
#[test]
fn r26_the_events_of_one_session_carry_one_hash() {
    let mut with = BTreeSet::new();
    for &(name, scenario) in SCENARIOS {
        for line in hear(name, scenario).lines {
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
fn every_number_has_a_name_and_labels_of_the_manual() {
    let manual = manual::metrics();
    let mut seen = BTreeSet::new();
    let scenarios = SCENARIOS.iter().map(|(_, scenario)| scenario).chain(MORE);
    for scenario in scenarios {
        let numbers = hear("the numbers", *scenario).numbers;
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
    let elsewhere = ELSEWHERE.map(|name| ("session_events_total".to_owned(), "event".to_owned(), name.to_owned()));
    seen.extend(elsewhere);
    let unknown: Vec<_> = seen.difference(&manual).collect();
    assert!(unknown.is_empty(), "in no table: {unknown:#?}");
    let silent: Vec<_> =
        manual.difference(&seen).map(|(metric, key, value)| format!("{metric} {key}={value}")).collect();
    assert!(silent.is_empty(), "never counted: {silent:#?}");
}

#[test]
fn load_commit_and_each_call_to_the_store_are_spans() {
    let (name, scenario) = SCENARIOS.iter().find(|(name, _)| *name == "session.updated").unwrap();
    let lines = hear(name, *scenario).lines;
    for (span, level) in manual::spans() {
        let begin = format!("span {span} {} http_session", level.to_uppercase());
        assert!(lines.iter().any(|line| line.starts_with(&begin)), "{span}: {lines:#?}");
    }
    assert!(lines.iter().any(|line| line.starts_with("span session.store DEBUG http_session call=\"update\"")));
}
