//! What a check works with.

use std::future::Future;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::Duration;

use rand::Rng as _;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::records::{LONG, difference};
use super::time::{Moment, Time};
use crate::error::StoreError;
use crate::id::SessionId;
use crate::record::{Extent, Lifetime, Patch, Record};
use crate::{Destroyed, Inserted, SessionStore, Touched, Updated};

/// What a check answers.
pub(super) type Verdict = Result<(), Fault>;

/// Why a check did not come to a good end.
pub(super) enum Fault {
    Broken(String),
    Failed(StoreError),
    Skipped(&'static str),
    /// The machine stood still for so long that nobody can tell. Checked again.
    Late,
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

pub(super) fn broken<T>(how: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Broken(how.into()))
}

pub(super) fn ensure(holds: bool, otherwise: &str) -> Verdict {
    if holds { Ok(()) } else { broken(otherwise) }
}

/// `what` is the subject of a sentence: "a second insert answered".
pub(super) fn equal<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T, what: &str) -> Verdict {
    if found == expected { Ok(()) } else { broken(format!("{what} {found:?} instead of {expected:?}")) }
}

/// All that a store keeps is as expected; `when` ends a sentence: "after the insert".
pub(super) fn same(found: &Record, expected: &Record, when: &str) -> Verdict {
    difference(found, expected).map_or(Ok(()), |part| broken(format!("{part} is not as it should be {when}")))
}

/// The record that a patch makes of another, by the reference.
pub(super) fn applied(patch: &Patch, record: &Record) -> Result<Record, Fault> {
    let mut record = record.clone();
    match patch.apply_to(&mut record) {
        Ok(_) => Ok(record),
        Err(_) => broken("the suite's own patch is refused by the reference"),
    }
}

/// The stores of a run, and its settings.
pub(super) struct Bench<S> {
    /// Handles of one and the same sessions; at least one.
    pub(super) first: S,
    pub(super) peers: Vec<S>,
    pub(super) time: Time,
    /// The unit of lifetimes.
    pub(super) tick: Duration,
    /// How far an age may be off.
    pub(super) slack: Duration,
    pub(super) rounds: usize,
}

/// One check's view of the bench.
pub(super) struct Trial<S> {
    pub(super) bench: Arc<Bench<S>>,
    ids: Arc<Mutex<Vec<SessionId>>>,
    began: Duration,
    /// How long the check has waited, by its own will.
    waited: Arc<Mutex<Duration>>,
}

impl<S> Clone for Trial<S> {
    fn clone(&self) -> Self {
        let (ids, waited) = (Arc::clone(&self.ids), Arc::clone(&self.waited));
        Self { bench: Arc::clone(&self.bench), ids, began: self.began, waited }
    }
}

/// Tasks of a race.
pub(super) const RACERS: usize = 8;

impl<S: SessionStore> Trial<S> {
    pub(super) fn new(bench: Arc<Bench<S>>) -> Self {
        let began = bench.time.now();
        Self { bench, ids: Arc::default(), began, waited: Arc::default() }
    }

    /// The store that writes.
    pub(super) fn store(&self) -> &S {
        &self.bench.first
    }

    /// One of the handles; the same number gives the same.
    pub(super) fn handle(&self, number: usize) -> &S {
        let place = number % (self.bench.peers.len() + 1);
        place.checked_sub(1).and_then(|place| self.bench.peers.get(place)).unwrap_or(&self.bench.first)
    }

    /// An id that nobody has.
    pub(super) fn id(&self) -> SessionId {
        let mut selector = [0; 16];
        rand::rng().fill_bytes(&mut selector);
        self.note(SessionId::from_selector(&selector))
    }

    /// Remembers an id, so that its session is gone when the check is over.
    pub(super) fn note(&self, id: SessionId) -> SessionId {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).push(id.clone());
        id
    }

    /// Destroys what the check has left. Whether that works is judged elsewhere.
    pub(super) async fn tidy(&self) {
        let ids = std::mem::take(&mut *self.ids.lock().unwrap_or_else(PoisonError::into_inner));
        for id in ids {
            let _ = self.store().destroy(&id, None).await;
        }
    }

    /// A new session.
    pub(super) async fn stored(&self, record: &Record) -> Result<SessionId, Fault> {
        let id = self.id();
        let inserted = self.store().insert(&id, record, LONG).await?;
        equal(&inserted, &Inserted::Inserted, "the insert of a new session answered")?;
        Ok(id)
    }

    /// A new session, as it is loaded.
    pub(super) async fn fresh(&self, record: &Record) -> Result<(SessionId, Record), Fault> {
        let id = self.stored(record).await?;
        let record = self.record(&id).await?;
        Ok((id, record))
    }

    /// What another handle sees, where there is one.
    pub(super) async fn load(&self, id: &SessionId) -> Result<Option<Record>, Fault> {
        Ok(self.handle(1).load(id).await?)
    }

    /// The record of a session that must be there.
    pub(super) async fn record(&self, id: &SessionId) -> Result<Record, Fault> {
        match self.load(id).await? {
            Some(record) if !record.is_tombstone() => Ok(record),
            Some(_) => broken("a session that nobody destroyed is a tombstone"),
            None => broken("a stored session is not found"),
        }
    }

    pub(super) async fn update(&self, id: &SessionId, patch: &Patch) -> Result<Updated, Fault> {
        Ok(self.store().update(id, patch, LONG).await?)
    }

    pub(super) async fn touch(&self, id: &SessionId, record: &Record) -> Result<Touched, Fault> {
        Ok(self.store().touch(id, record.epoch, LONG).await?)
    }

    pub(super) async fn destroy(&self, id: &SessionId) -> Verdict {
        let destroyed = self.store().destroy(id, None).await?;
        equal(&destroyed, &Destroyed::Destroyed, "destroying a session answered")
    }

    /// An update that nothing stands against; gives the record after it.
    pub(super) async fn applied(&self, id: &SessionId, patch: &Patch) -> Result<Record, Fault> {
        let updated = self.update(id, patch).await?;
        equal(&updated, &Updated::Applied { renewed: true }, "an update that nothing stood against answered")?;
        self.record(id).await
    }

    /// An update by one of the handles, as the middleware writes: after each conflict, the original patch is merged with the
    /// record that came with it, and tried again. `None` where a merge rule, a gate or the limit refuses.
    pub(super) async fn commit(&self, handle: usize, id: &SessionId, patch: &Patch) -> Result<Option<Updated>, Fault> {
        const TRIES: usize = 10_000;
        let mut attempt = patch.clone();
        for _ in 0..TRIES {
            match self.handle(handle).update(id, &attempt, LONG).await? {
                Updated::Conflict(record) => match patch.rebase(&record.fields) {
                    Ok(rebased) => attempt = rebased,
                    Err(_) => return Ok(None),
                },
                answer => return Ok(Some(answer)),
            }
            tokio::task::yield_now().await;
        }
        broken("an update answered with a conflict again and again")
    }

    /// Runs a part of the check in as many threads as there are racers, all at once.
    pub(super) async fn race<T, F>(&self, part: impl Fn(Self, usize) -> F) -> Result<Vec<T>, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let start = Arc::new(Barrier::new(RACERS));
        let runtime = Handle::current();
        let racers: Vec<_> = (0..RACERS)
            .map(|number| {
                let (answer, answered) = oneshot::channel();
                let (start, runtime, part) = (Arc::clone(&start), runtime.clone(), part(self.clone(), number));
                // Threads of their own: tasks of a runtime with one thread would take turns.
                std::thread::spawn(move || {
                    start.wait();
                    let _ = answer.send(runtime.block_on(part));
                });
                answered
            })
            .collect();
        let mut answers = Vec::with_capacity(RACERS);
        for racer in racers {
            answers.push(racer.await.or_else(|_| broken("the store panicked"))?);
        }
        answers.into_iter().collect()
    }
}

/// Time.
impl<S: SessionStore> Trial<S> {
    pub(super) fn ticks(&self, count: u32) -> Duration {
        self.bench.tick.saturating_mul(count)
    }

    /// A lifetime in ticks.
    pub(super) fn lifetime(&self, idle: u32, absolute: u32) -> Lifetime {
        Lifetime { idle: self.ticks(idle), absolute: self.ticks(absolute), extent: Extent::Extend }
    }

    pub(super) async fn pass(&self, count: u32) {
        self.bench.time.pass(self.ticks(count)).await;
        *self.waited.lock().unwrap_or_else(PoisonError::into_inner) += self.ticks(count);
    }

    /// Whether the check took so much longer than it waited that a session may have ended under it: where one must still be
    /// there, its end is at least a tick away.
    pub(super) fn stood_still(&self) -> bool {
        let waited = *self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        let took = self.bench.time.now().saturating_sub(self.began);
        took > waited + self.bench.tick * 3 / 4
    }

    /// The answer of a call, and when it was given.
    pub(super) async fn at<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<(T, Moment), Fault> {
        let before = self.bench.time.now();
        let answer = call.await?;
        Ok((answer, Moment { before, after: self.bench.time.now() }))
    }

    /// A new session of a lifetime, and when it was stored.
    pub(super) async fn begin(&self, record: &Record, lifetime: Lifetime) -> Result<(SessionId, Moment), Fault> {
        let id = self.id();
        let (inserted, born) = self.at(self.store().insert(&id, record, lifetime)).await?;
        equal(&inserted, &Inserted::Inserted, "the insert of a new session answered")?;
        Ok((id, born))
    }

    /// The record of a session that lives until `end`, and when it was seen.
    pub(super) async fn alive(&self, id: &SessionId, end: Moment) -> Result<(Record, Moment), Fault> {
        let (record, seen) = self.at(self.handle(1).load(id)).await?;
        match record {
            Some(record) if !record.is_tombstone() => {
                self.time_left(&record, seen, end)?;
                Ok((record, seen))
            }
            Some(_) => broken("a session that nobody destroyed is a tombstone"),
            None if seen.after + self.bench.slack < end.before => broken("the session was gone before its end"),
            None => Err(Fault::Late),
        }
    }

    /// A session whose end has come is not found.
    pub(super) async fn gone(&self, id: &SessionId, end: Moment) -> Verdict {
        let (record, seen) = self.at(self.handle(1).load(id)).await?;
        match record {
            None => Ok(()),
            Some(_) if seen.before > end.after + self.bench.slack => broken("the session is still there after its end"),
            Some(_) => Err(Fault::Late),
        }
    }

    /// The time left of a record, as seen, fits its end.
    pub(super) fn time_left(&self, record: &Record, seen: Moment, end: Moment) -> Verdict {
        self.about(record.expires_in, end.since(seen), "the time left")
    }

    /// An age fits the moment from which it counts.
    pub(super) fn age(&self, age: Duration, since: Moment, seen: Moment, what: &str) -> Verdict {
        self.about(age, seen.since(since), what)
    }

    fn about(&self, found: Duration, (least, most): (Duration, Duration), what: &str) -> Verdict {
        let slack = self.bench.slack;
        if found.saturating_add(slack) >= least && found <= most.saturating_add(slack) {
            return Ok(());
        }
        let expected = least + (most - least) / 2;
        broken(format!("{what} was {found:.1?}, about {expected:.1?} was expected"))
    }
}
