use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

/// A metric's name and its labels.
pub type Series = (String, Vec<(String, String)>);

/// A recorder that keeps what a thread counts: how often each series was added to.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    pub counts: Arc<Mutex<BTreeMap<Series, u64>>>,
    pub descriptions: Arc<Mutex<Vec<String>>>,
}

impl Numbers {
    /// Runs `work`, and counts what it does on this thread.
    pub fn of<R>(&self, work: impl FnOnce() -> R) -> R {
        metrics::with_local_recorder(self, work)
    }

    /// How often a series with this label was added to.
    pub fn count(&self, name: &str, label: (&str, &str)) -> u64 {
        let counts = self.counts.lock().unwrap();
        let has =
            |labels: &[(String, String)]| labels.iter().any(|(key, value)| (key.as_str(), value.as_str()) == label);
        counts.iter().filter(|((own, labels), _)| own == name && has(labels)).map(|(_, count)| count).sum()
    }

    fn one(&self, key: &Key) -> Arc<One> {
        let labels = key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        Arc::new(One { series: (key.name().to_owned(), labels), numbers: self.clone() })
    }

    fn describe(&self, key: &KeyName, description: &SharedString) {
        self.descriptions.lock().unwrap().push(format!("{}: {description}", key.as_str()));
    }
}

struct One {
    series: Series,
    numbers: Numbers,
}

impl One {
    fn add(&self, value: u64) {
        *self.numbers.counts.lock().unwrap().entry(self.series.clone()).or_default() += value;
    }
}

impl CounterFn for One {
    fn increment(&self, value: u64) {
        self.add(value);
    }

    fn absolute(&self, _: u64) {
        unreachable!("events are counted one by one");
    }
}

impl HistogramFn for One {
    fn record(&self, value: f64) {
        assert!(value >= 0.0 && value.is_finite());
        self.add(1);
    }
}

impl Recorder for Numbers {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(&key, &description);
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(&key, &description);
    }

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(&key, &description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.one(key))
    }
}
