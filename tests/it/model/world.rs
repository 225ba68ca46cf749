//! Gates: every store call and every step of a handler waits at one, and the scheduler opens one at a time. So the order of
//! everything that happens is a function of the seed, and nothing else.

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

/// What waits, and what is known.
pub struct Inner {
    pub dice: Dice,
    pub truth: Truth,
    /// Lines, where somebody wants to read them.
    pub trace: Option<Vec<String>>,
    pub is_faulty: bool,
    /// All gates are open.
    pub is_free: bool,
    waiting: BTreeMap<Ticket, Waiting>,
    opened: Vec<Ticket>,
    gates: HashMap<usize, usize>,
    /// Whose step it is: what a step reaches belongs to the same visit.
    current: usize,
    /// The library's own tasks, as far as they have come to a gate: a wait between has no visit of its own.
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

    /// A new history. What was asked in the last one has come to its end.
    pub fn begin(&self, dice: Dice, trace: Option<Vec<String>>) {
        let mut inner = self.lock();
        *inner = Inner { dice, trace, ..Inner::default() };
    }

    /// Waits until the scheduler opens this gate; answers whose it is.
    pub const fn gate<'w>(self: &'w Arc<Self>, what: &'static str) -> Gate<'w> {
        Gate { world: self, what, ticket: None, done: false }
    }

    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Opens the gate of this place in the order of visits.
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

    /// From here on, what happens belongs to this visit.
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

    /// Whether something of this visit waits at a gate.
    pub fn is_waiting(&self, visit: usize) -> bool {
        self.waiting.keys().any(|ticket| ticket.0 == visit)
    }

    fn enter(&mut self, visit: usize) {
        self.current = visit;
        self.truth.now += 1;
    }

    /// The visit that the running code belongs to.
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

/// Who gives up waiting does not stand in the way.
impl Drop for Gate<'_> {
    fn drop(&mut self) {
        if let (Some(ticket), false) = (self.ticket, self.done) {
            let mut inner = self.world.lock();
            inner.waiting.remove(&ticket);
            inner.opened.retain(|opened| *opened != ticket);
        }
    }
}
