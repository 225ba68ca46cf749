use std::cell::{Cell, RefCell};
use std::fmt::{Debug, Write as _};
use std::rc::Rc;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

type Hook = Rc<dyn Fn(&str)>;

thread_local! {
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    static IS_HOOKED: Cell<bool> = const { Cell::new(false) };
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

    /// The same; with each event `hook` runs, in the middle of what was going on. Not within itself.
    pub fn hooked(hook: impl Fn(&str) + 'static) -> Self {
        HOOK.set(Some(Rc::new(hook)));
        Self::capture()
    }

    /// The events since the last time: name, level, target, and all fields; and the spans, after the word `span`.
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
        HOOK.set(None);
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

fn run_hook(name: &str) {
    let Some(hook) = HOOK.with_borrow(Clone::clone) else { return };
    if !IS_HOOKED.replace(true) {
        hook(name);
        IS_HOOKED.set(false);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        let mut line = Line(format!("{} {} {}", about.name(), about.level(), about.target()));
        event.record(&mut line);
        tell(line.0);
        run_hook(about.name());
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        let about = attributes.metadata();
        let mut line = Line(format!("span {} {} {}", about.name(), about.level(), about.target()));
        attributes.record(&mut line);
        tell(line.0);
    }
}
