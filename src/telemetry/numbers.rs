//! The metrics of the feature `metrics`. The values of labels are words of this crate, and there are few of them.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use http_session_store::clock::Clock;

/// Describes the metrics to the recorder, if one is installed already.
pub(crate) fn describe() {
    describe_counter!("session_events_total", "events of the session middleware, by name");
    describe_counter!("session_loads_total", "loads of a session, by outcome");
    describe_counter!("session_commits_total", "commits, by action and outcome");
    describe_histogram!("session_store_seconds", Unit::Seconds, "duration of a call to the session store");
}

pub(super) fn load(outcome: &'static str) {
    counter!("session_loads_total", "outcome" => outcome).increment(1);
}

pub(super) fn commit(action: &'static str, outcome: &'static str) {
    counter!("session_commits_total", "action" => action, "outcome" => outcome).increment(1);
}

pub(super) fn store(call: &'static str, outcome: &'static str, stopwatch: &Stopwatch<'_>) {
    let seconds = stopwatch.elapsed().as_secs_f64();
    histogram!("session_store_seconds", "call" => call, "outcome" => outcome).record(seconds);
}

/// Measures a call to the store, by the clock of the configuration.
pub(crate) struct Stopwatch<'a> {
    clock: &'a dyn Clock,
    started: Duration,
}

impl<'a> Stopwatch<'a> {
    pub(crate) fn start(clock: &'a dyn Clock) -> Self {
        Self { clock, started: clock.elapsed() }
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.started)
    }
}
