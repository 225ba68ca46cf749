//! Every call to the store: it has a time limit (R18), and operators hear of it.

use std::time::Duration;

use tracing::Instrument as _;

use crate::config::Core;
use crate::error::{StoreError, StoreErrorKind};
use crate::record::{Epoch, Lifetime, Patch, RawJson, Record};
use crate::store::SessionId;
use crate::store::{Destroyed, ErasedIndex, ErasedStore, Generation, Inserted, Touched, Updated, Visit};
use crate::telemetry::{self, Stopwatch, StoreCall};

impl Core {
    async fn visit<T>(&self, call: StoreCall, visit: impl FnOnce() -> Visit<T>) -> Result<T, StoreError> {
        let stopwatch = Stopwatch::start(self);
        let span = telemetry::store_span(call);
        let answer = match span.in_scope(visit) {
            Visit::Answered(answer) => answer,
            waiting => waiting.within(self.settings.store_timeout).instrument(span).await,
        };
        telemetry::store_answered(call, &answer, &stopwatch);
        answer
    }

    /// A call that writes a record.
    async fn write<T>(
        &self,
        call: StoreCall,
        id: &SessionId,
        visit: impl FnOnce(&dyn ErasedStore) -> Visit<T>,
    ) -> Result<T, StoreError> {
        let answer = self.visit(call, || visit(self.store())).await;
        if answer.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::Unknown) {
            telemetry::commit_unknown(self, id);
        }
        answer
    }

    /// Reads a record.
    pub(crate) fn load_record(&self, id: &SessionId) -> impl Future<Output = Result<Option<Record>, StoreError>> {
        self.visit(StoreCall::Load, || self.store().load(id))
    }

    /// Inserts a record.
    pub(crate) fn insert_record(
        &self,
        id: &SessionId,
        record: &Record,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Inserted, StoreError>> {
        self.write(StoreCall::Insert, id, move |store| store.insert(id, record, lifetime))
    }

    /// Applies a patch to a record.
    pub(crate) async fn update_record(
        &self,
        id: &SessionId,
        patch: &Patch,
        lifetime: Lifetime,
    ) -> Result<Updated, StoreError> {
        let answer = self.write(StoreCall::Update, id, |store| store.update(id, patch, lifetime)).await;
        if let Ok(Updated::Applied { renewed }) = answer {
            telemetry::updated(self, id, patch, renewed);
        }
        answer
    }

    /// Prolongs a record's life.
    pub(crate) async fn touch_record(
        &self,
        id: &SessionId,
        epoch: Epoch,
        lifetime: Lifetime,
    ) -> Result<Touched, StoreError> {
        let answer = self.write(StoreCall::Touch, id, |store| store.touch(id, epoch, lifetime)).await;
        if let Ok(Touched::Applied) = answer {
            telemetry::touched(self, id);
        }
        answer
    }

    /// Destroys a record, of an epoch if one is given.
    pub(crate) async fn destroy_record(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let answer = self.write(StoreCall::Destroy, id, |store| store.destroy(id, epoch)).await;
        if let Ok(Destroyed::Destroyed) = answer {
            telemetry::destroyed(self, id);
        }
        answer
    }
}

/// Calls to the index (R28).
impl Core {
    /// The identity's generation; without an index there is but one.
    pub(crate) async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        match self.index() {
            Some(index) => self.visit(StoreCall::Generation, || index.generation(identity)).await,
            None => Ok(Generation::NONE),
        }
    }

    pub(crate) fn raise_generation(
        &self,
        index: &dyn ErasedIndex,
        identity: &RawJson,
        generation: Generation,
    ) -> impl Future<Output = Result<(), StoreError>> {
        self.visit(StoreCall::RaiseGeneration, move || index.raise_generation(identity, generation))
    }

    pub(crate) fn linked(
        &self,
        index: &dyn ErasedIndex,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<SessionId>, StoreError>> {
        self.visit(StoreCall::Linked, move || index.linked(identity, after, limit))
    }

    pub(crate) fn link(
        &self,
        index: &dyn ErasedIndex,
        identity: &RawJson,
        id: &SessionId,
        lifetime: Duration,
    ) -> impl Future<Output = Result<Generation, StoreError>> {
        self.visit(StoreCall::Link, move || index.link(identity, id, lifetime))
    }

    pub(crate) fn unlink(
        &self,
        index: &dyn ErasedIndex,
        identity: &RawJson,
        id: &SessionId,
    ) -> impl Future<Output = Result<(), StoreError>> {
        self.visit(StoreCall::Unlink, move || index.unlink(identity, id))
    }
}
