//! One run of a check: its sessions, and the calls that checks have in common.

use std::future::Future;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::Duration;

use rand::Rng as _;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::records::LONG;
use super::result::{CheckResult, Problem, broken, equal};
use super::setup::Setup;
use super::time::Moment;
use crate::answer::{Destroyed, Inserted, Touched, Updated};
use crate::error::StoreError;
use crate::id::SessionId;
use crate::record::{Lifetime, Patch, Record};
use crate::session_store::SessionStore;

/// One run of a check.
pub(super) struct Run<S> {
    pub(super) setup: Arc<Setup<S>>,
    ids: Arc<Mutex<Vec<SessionId>>>,
    began: Duration,
    /// How long the check has waited on purpose.
    waited: Arc<Mutex<Duration>>,
}

impl<S> Clone for Run<S> {
    fn clone(&self) -> Self {
        let (ids, waited) = (Arc::clone(&self.ids), Arc::clone(&self.waited));
        Self { setup: Arc::clone(&self.setup), ids, began: self.began, waited }
    }
}

/// Threads of a race.
pub(super) const RACERS: usize = 8;

impl<S: SessionStore> Run<S> {
    pub(super) fn new(setup: Arc<Setup<S>>) -> Self {
        let began = setup.time.now();
        Self { setup, ids: Arc::default(), began, waited: Arc::default() }
    }

    /// The store that writes.
    pub(super) fn store(&self) -> &S {
        &self.setup.first
    }

    /// One of the handles. The same number gives the same handle.
    pub(super) fn handle(&self, number: usize) -> &S {
        let index = number % (self.setup.peers.len() + 1);
        index.checked_sub(1).and_then(|index| self.setup.peers.get(index)).unwrap_or(&self.setup.first)
    }

    /// An id that no session has.
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

    /// Destroys what the check has left. Other checks judge whether that works.
    pub(super) async fn tidy(&self) {
        let ids = std::mem::take(&mut *self.ids.lock().unwrap_or_else(PoisonError::into_inner));
        for id in ids {
            let _ = self.store().destroy(&id, None).await;
        }
    }

    /// A new session.
    pub(super) async fn stored(&self, record: &Record) -> Result<SessionId, Problem> {
        let id = self.id();
        let inserted = self.store().insert(&id, record, LONG).await?;
        equal(&inserted, &Inserted::Inserted, "the insert of a new session answered")?;
        Ok(id)
    }

    /// A new session, as it is loaded.
    pub(super) async fn fresh(&self, record: &Record) -> Result<(SessionId, Record), Problem> {
        let id = self.stored(record).await?;
        let record = self.record(&id).await?;
        Ok((id, record))
    }

    /// What another handle sees, where there is one.
    pub(super) async fn load(&self, id: &SessionId) -> Result<Option<Record>, Problem> {
        Ok(self.handle(1).load(id).await?)
    }

    /// The record of a session that must be there.
    pub(super) async fn record(&self, id: &SessionId) -> Result<Record, Problem> {
        match self.load(id).await? {
            Some(record) if !record.is_tombstone() => Ok(record),
            Some(_) => broken("a session that nobody destroyed is a tombstone"),
            None => broken("a stored session is not found"),
        }
    }

    pub(super) async fn update(&self, id: &SessionId, patch: &Patch) -> Result<Updated, Problem> {
        Ok(self.store().update(id, patch, LONG).await?)
    }

    pub(super) async fn touch(&self, id: &SessionId, record: &Record) -> Result<Touched, Problem> {
        Ok(self.store().touch(id, record.epoch, LONG).await?)
    }

    pub(super) async fn destroy(&self, id: &SessionId) -> CheckResult {
        let destroyed = self.store().destroy(id, None).await?;
        equal(&destroyed, &Destroyed::Destroyed, "destroying a session answered")
    }

    /// An update that must be applied. Gives the record after it.
    pub(super) async fn applied(&self, id: &SessionId, patch: &Patch) -> Result<Record, Problem> {
        let updated = self.update(id, patch).await?;
        equal(&updated, &Updated::Applied { renewed: true }, "an update without a conflict answered")?;
        self.record(id).await
    }

    /// An update by one of the handles, as the middleware writes: after each conflict, the original patch is merged with the
    /// record that came with it, and tried again. `None` where a merge rule, a gate or the limit refuses.
    pub(super) async fn commit(
        &self,
        handle: usize,
        id: &SessionId,
        patch: &Patch,
    ) -> Result<Option<Updated>, Problem> {
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
        broken("an update was answered with a conflict again and again")
    }

    /// Runs a part of the check in several threads at the same moment.
    pub(super) async fn race<T, F>(&self, part: impl Fn(Self, usize) -> F) -> Result<Vec<T>, Problem>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        let start = Arc::new(Barrier::new(RACERS));
        let runtime = Handle::current();
        let racers: Vec<_> = (0..RACERS)
            .map(|number| {
                let (answer, answered) = oneshot::channel();
                let (start, runtime, part) = (Arc::clone(&start), runtime.clone(), part(self.clone(), number));
                // Threads of their own, since the tasks of a runtime with one thread would take turns.
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
impl<S: SessionStore> Run<S> {
    pub(super) fn ticks(&self, count: u32) -> Duration {
        self.setup.tick.saturating_mul(count)
    }

    /// A lifetime in ticks.
    pub(super) fn lifetime(&self, idle: u32, absolute: u32) -> Lifetime {
        Lifetime::new(self.ticks(idle), self.ticks(absolute))
    }

    pub(super) async fn pass(&self, count: u32) {
        self.setup.time.pass(self.ticks(count)).await;
        *self.waited.lock().unwrap_or_else(PoisonError::into_inner) += self.ticks(count);
    }

    /// Whether the check took so much longer than it waited that a session may have ended meanwhile. If a check expects a
    /// session to be there, its end is at least a tick away.
    pub(super) fn stood_still(&self) -> bool {
        let waited = *self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        let took = self.setup.time.now().saturating_sub(self.began);
        took > waited + self.setup.tick * 3 / 4
    }

    /// The answer of a call, and when it was given.
    pub(super) async fn at<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<(T, Moment), Problem> {
        let before = self.setup.time.now();
        let answer = call.await?;
        Ok((answer, Moment { before, after: self.setup.time.now() }))
    }

    /// A new session of a lifetime, and when it was stored.
    pub(super) async fn begin(&self, record: &Record, lifetime: Lifetime) -> Result<(SessionId, Moment), Problem> {
        let id = self.id();
        let (inserted, born) = self.at(self.store().insert(&id, record, lifetime)).await?;
        equal(&inserted, &Inserted::Inserted, "the insert of a new session answered")?;
        Ok((id, born))
    }

    /// The record of a session that lives until `end`, and when it was seen.
    pub(super) async fn alive(&self, id: &SessionId, end: Moment) -> Result<(Record, Moment), Problem> {
        let (record, seen) = self.at(self.handle(1).load(id)).await?;
        match record {
            Some(record) if !record.is_tombstone() => {
                self.time_left(&record, seen, end)?;
                Ok((record, seen))
            }
            Some(_) => broken("a session that nobody destroyed is a tombstone"),
            None if seen.after + self.setup.slack < end.before => broken("the session was gone before its end"),
            None => Err(Problem::Late),
        }
    }

    /// A session whose end has come is not found.
    pub(super) async fn gone(&self, id: &SessionId, end: Moment) -> CheckResult {
        let (record, seen) = self.at(self.handle(1).load(id)).await?;
        match record {
            None => Ok(()),
            Some(_) if seen.before > end.after + self.setup.slack => broken("the session is still there after its end"),
            Some(_) => Err(Problem::Late),
        }
    }

    /// The time left of a record, as seen, fits its end.
    pub(super) fn time_left(&self, record: &Record, seen: Moment, end: Moment) -> CheckResult {
        self.about(record.expires_in, end.since(seen), "the time left")
    }

    /// An age fits the moment from which it counts.
    pub(super) fn age(&self, age: Duration, since: Moment, seen: Moment, what: &str) -> CheckResult {
        self.about(age, seen.since(since), what)
    }

    fn about(&self, found: Duration, (least, most): (Duration, Duration), what: &str) -> CheckResult {
        let slack = self.setup.slack;
        if found.saturating_add(slack) >= least && found <= most.saturating_add(slack) {
            return Ok(());
        }
        let expected = least + (most - least) / 2;
        broken(format!("{what} was {found:.1?}, about {expected:.1?} was expected"))
    }
}
