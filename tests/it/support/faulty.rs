use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http_session::SessionId;
use http_session::error::{StoreError, StoreErrorKind};
use http_session::record::{Epoch, Lifetime, Patch, Row};
use http_session::store::{ConditionalCommit, Destroyed, ExpressFormat, Inserted, SessionStore, Touched, Updated};

/// A method of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Load,
    Insert,
    Update,
    Touch,
    Destroy,
}

/// What goes wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It answers this error, and does nothing.
    Error(StoreErrorKind),
    /// It does its work, and the answer is lost.
    LostAnswer,
    /// It never answers.
    Hang,
    /// It panics.
    Panic,
}

/// A store that fails on command. Waits for a moment in every call, unless it is told to be instant.
#[derive(Clone, Debug)]
pub struct Faulty<S> {
    pub inner: S,
    pub is_instant: bool,
    pub faults: Arc<Mutex<HashMap<Call, Fault>>>,
    /// Whether it answers `Conflict` as one that compares and swaps, instead of merging by itself.
    pub swaps: Arc<AtomicBool>,
}

impl<S: SessionStore> Faulty<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, is_instant: false, faults: Arc::default(), swaps: Arc::default() }
    }

    /// From now on.
    pub fn fail(&self, call: Call, fault: Fault) {
        self.faults.lock().unwrap().insert(call, fault);
    }

    /// All is well again.
    pub fn heal(&self) {
        self.faults.lock().unwrap().clear();
    }

    /// The row, where a conditional change does not find its base in it.
    async fn conflict(&self, id: &SessionId, patch: &Patch) -> Result<Option<Box<Row>>, StoreError> {
        if !self.swaps.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let row = self.inner.load(id).await?.filter(|row| row.epoch == patch.epoch);
        let moved = |row: &Row| {
            patch.changes().any(|change| change.conditional && row.fields.read(change.field) != change.base)
        };
        Ok(row.filter(moved).map(Box::new))
    }

    async fn run<T>(&self, call: Call, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let fault = self.faults.lock().unwrap().get(&call).copied();
        if !self.is_instant {
            tokio::task::yield_now().await;
        }
        match fault {
            None => work.await,
            Some(Fault::Error(kind)) => {
                Err(StoreError::new(kind).with_source("driver says postgres://user:hunter2@db"))
            }
            Some(Fault::LostAnswer) => {
                drop(work.await?);
                Err(StoreError::new(StoreErrorKind::Unknown))
            }
            Some(Fault::Hang) => pending().await,
            Some(Fault::Panic) => panic!("the store panics as it was told to"),
        }
    }
}

impl<S: ConditionalCommit> ConditionalCommit for Faulty<S> {}
impl<S: ExpressFormat> ExpressFormat for Faulty<S> {}

impl<S: SessionStore> SessionStore for Faulty<S> {
    fn is_instant(&self) -> bool {
        self.is_instant
    }

    async fn load(&self, id: &SessionId) -> Result<Option<Row>, StoreError> {
        self.run(Call::Load, self.inner.load(id)).await
    }

    async fn insert(&self, id: &SessionId, row: &Row, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        self.run(Call::Insert, self.inner.insert(id, row, lifetime)).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        let update = async {
            match self.conflict(id, patch).await? {
                Some(row) => Ok(Updated::Conflict(row)),
                None => self.inner.update(id, patch, lifetime).await,
            }
        };
        self.run(Call::Update, update).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        self.run(Call::Touch, self.inner.touch(id, epoch, lifetime)).await
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        self.run(Call::Destroy, self.inner.destroy(id, epoch)).await
    }
}
