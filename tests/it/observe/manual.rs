//! Reads the manual's tables of events, spans and metrics, and compares them with the source.

use std::collections::BTreeSet;
use std::path::Path;

const MANUAL: &str = include_str!("../../../src/guide/events.md");
const EVENTS: &str = include_str!("../../../src/telemetry/events.rs");
/// The one event that stores report themselves.
const SWEEP: &str = include_str!("../../../store/src/sweep.rs");

/// Returns the rows of the table whose first column has this header.
fn table(first: &str) -> Vec<Vec<&'static str>> {
    let header = format!("| {first} |");
    let rows = MANUAL.lines().skip_while(|line| !line.starts_with(&header)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// Returns the texts between backticks.
fn words(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns the names and levels of the manual's events.
pub fn events() -> Vec<(String, String)> {
    table("event").into_iter().map(|row| (words(row[0]).remove(0), row[1].to_owned())).collect()
}

pub fn spans() -> Vec<(String, String)> {
    table("span").into_iter().map(|row| (words(row[0]).remove(0), row[1].to_owned())).collect()
}

/// Returns every combination of metric, label and value that may be counted.
pub fn metrics() -> BTreeSet<(String, String, String)> {
    let errors = ["corrupt", "full", "refused", "unavailable", "unknown"].map(str::to_owned);
    let mut all = BTreeSet::new();
    for row in table("metric") {
        let metric = words(row[0]).remove(0);
        for label in row[2].split(';') {
            let (key, values) = label.split_once(':').unwrap();
            let key = words(key).remove(0);
            let mut values = words(values);
            if label.contains("a store's error") {
                values.extend(errors.clone());
            }
            if label.contains("a name of the table above") {
                values.extend(events().into_iter().map(|(name, _)| name));
            }
            all.extend(values.into_iter().map(|value| (metric.clone(), key.clone(), value)));
        }
    }
    all
}

/// Returns the names and levels of the events in the source.
fn events_of_the_source() -> Vec<(String, String)> {
    let calls = EVENTS.split("event!(").skip(1);
    let calls = calls.map(|call| {
        let mut arguments = call.splitn(3, ',').map(str::trim);
        let level = arguments.next().unwrap().to_owned();
        (arguments.next().unwrap().trim_matches('"').to_owned(), level)
    });
    let of_stores = SWEEP.split("tracing::").skip(1).filter_map(|call| {
        let (level, rest) = call.split_once("!(")?;
        Some((rest.split('"').nth(1)?.to_owned(), level.to_owned()))
    });
    calls.chain(of_stores).collect()
}

#[test]
fn the_manual_has_the_events_of_the_source_with_their_levels() {
    let (manual, source) = (events(), events_of_the_source());
    let unique: BTreeSet<_> = manual.iter().cloned().collect();
    assert!(manual.len() > 30 && unique.len() == manual.len(), "every event is in the manual once");
    assert_eq!(unique, source.iter().cloned().collect());
    assert_eq!(source.len(), unique.len(), "every event is emitted in one place");
}

/// All events are in one folder, so that a reader finds them.
#[test]
fn events_and_metrics_are_used_only_in_telemetry() {
    fn look(directory: &Path) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().unwrap() != "telemetry" {
                    look(&path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                for line in source.lines().filter(|line| !line.contains("tracing::Instrument") && !line.contains("///"))
                {
                    let says = ["tracing::", "metrics::", "println!", "name: \"session."];
                    assert!(says.iter().all(|word| !line.contains(word)), "{}: {line}", path.display());
                }
            }
        }
    }
    look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
}
