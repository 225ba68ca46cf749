use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

thread_local! {
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Everything that this thread tells tracing while it lives, at every level.
///
/// The subscriber is global: one for a thread alone would miss the events whose place in the source another thread reached
/// first.
pub struct Events(());

impl Events {
    pub fn capture() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Lines)).unwrap();
        });
        LINES.set(Some(Vec::new()));
        Self(())
    }

    /// The events since the last time: name, target, and all fields.
    pub fn take(&self) -> Vec<String> {
        LINES.replace(Some(Vec::new())).unwrap_or_default()
    }

    /// Whether there was an event of this name since the last time.
    pub fn has(&self, name: &str) -> bool {
        self.take().iter().any(|line| line.starts_with(name))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        LINES.set(None);
    }
}

struct Lines;

fn tell(line: String) {
    LINES.with_borrow_mut(|lines| {
        if let Some(lines) = lines {
            lines.push(line);
        }
    });
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(format!("{} {}", event.metadata().name(), event.metadata().target()));
        event.record(&mut line);
        tell(line.0);
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        let mut line = Line(format!("span {}", attributes.metadata().name()));
        attributes.record(&mut line);
        tell(line.0);
    }
}
