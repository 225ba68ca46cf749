//! Gates. Every store call and every step of a handler waits at a gate, and the scheduler opens one gate at a time. So
//! the order of events depends on the seed alone.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::task::Id;

use super::dice::Dice;
use super::truth::Truth;

/// The number of a visit in its history, and of a gate in its visit.
pub type Ticket = (usize, usize);

#[derive(Default)]
pub struct World(Mutex<Inner>);

/// The tasks that wait, and the state of the model.
pub struct Inner {
    pub dice: Dice,
    pub truth: Truth,
    /// The lines of the trace, if it is wanted.
    pub trace: Option<Vec<String>>,
    pub is_faulty: bool,
    /// All gates are open.
    pub is_free: bool,
    waiting: BTreeMap<Ticket, Waiting>,
    opened: Vec<Ticket>,
    gates: HashMap<usize, usize>,
    /// The visit that takes the current step. Gates that the step reaches belong to it.
    current: usize,
    /// The visits of the library's own tasks that have reached a gate. A task that waits for anything else is not
    /// connected to a visit otherwise.
    tasks: HashMap<Id, usize>,
}

struct Waiting {
    what: &'static str,
    waker: Waker,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            dice: Dice::new(0),
            truth: Truth::default(),
            trace: None,
            is_faulty: false,
            is_free: false,
            waiting: BTreeMap::new(),
            opened: Vec::new(),
            gates: HashMap::new(),
            current: 0,
            tasks: HashMap::new(),
        }
    }
}

impl World {
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Begins a new history. The requests of the last history must have ended.
    pub fn begin(&self, dice: Dice, trace: Option<Vec<String>>) {
        let mut inner = self.lock();
        *inner = Inner { dice, trace, ..Inner::default() };
    }

    /// Waits until the scheduler opens this gate. Returns the visit that the gate belongs to.
    pub const fn gate<'w>(self: &'w Arc<Self>, what: &'static str) -> Gate<'w> {
        Gate { world: self, what, ticket: None, done: false }
    }

    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Opens the gate at this position in the order of visits.
    pub fn open(&self, place: usize) {
        let mut inner = self.lock();
        let ticket = *inner.waiting.keys().nth(place).expect("a gate");
        let Waiting { what, waker } = inner.waiting.remove(&ticket).expect("a gate");
        inner.opened.push(ticket);
        inner.enter(ticket.0);
        inner.note(|| format!("{}: {what}", ticket.0));
        drop(inner);
        waker.wake();
    }

    /// What happens from now on belongs to this visit.
    pub fn enter(&self, visit: usize) {
        self.lock().enter(visit);
    }

    pub fn note(&self, line: impl FnOnce() -> String) {
        self.lock().note(line);
    }
}

impl Inner {
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }

    /// Whether a task of this visit waits at a gate.
    pub fn is_waiting(&self, visit: usize) -> bool {
        self.waiting.keys().any(|ticket| ticket.0 == visit)
    }

    fn enter(&mut self, visit: usize) {
        self.current = visit;
        self.truth.now += 1;
    }

    /// Returns the visit that the running code belongs to.
    pub fn visit(&mut self) -> usize {
        let current = self.current;
        match tokio::task::try_id() {
            Some(id) => *self.tasks.entry(id).or_insert(current),
            None => current,
        }
    }
}

pub struct Gate<'w> {
    world: &'w Arc<World>,
    what: &'static str,
    ticket: Option<Ticket>,
    done: bool,
}

impl Future for Gate<'_> {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<usize> {
        let mut inner = self.world.lock();
        let visit = inner.visit();
        if inner.is_free {
            return Poll::Ready(visit);
        }
        let ticket = *self.ticket.get_or_insert_with(|| {
            let gate = inner.gates.entry(visit).or_default();
            *gate += 1;
            (visit, *gate)
        });
        if let Some(place) = inner.opened.iter().position(|opened| *opened == ticket) {
            inner.opened.swap_remove(place);
            drop(inner);
            self.done = true;
            return Poll::Ready(ticket.0);
        }
        let waiting = Waiting { what: self.what, waker: context.waker().clone() };
        inner.waiting.insert(ticket, waiting);
        Poll::Pending
    }
}

/// A task that is dropped no longer waits at its gate.
impl Drop for Gate<'_> {
    fn drop(&mut self) {
        if let (Some(ticket), false) = (self.ticket, self.done) {
            let mut inner = self.world.lock();
            inner.waiting.remove(&ticket);
            inner.opened.retain(|opened| *opened != ticket);
        }
    }
}
