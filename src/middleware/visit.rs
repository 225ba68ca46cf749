//! Every call to the store: it has a time limit (R18), and operators hear of it.

use tracing::Instrument as _;

use crate::config::Core;
use crate::error::{StoreError, StoreErrorKind};
use crate::id::SessionId;
use crate::record::{Epoch, Lifetime, Patch, Row};
use crate::store::{Destroyed, ErasedStore, Inserted, Touched, Updated, Visit};
use crate::telemetry::{self, Stopwatch, StoreCall};

impl Core {
    async fn visit<T>(
        &self,
        call: StoreCall,
        id: &SessionId,
        visit: impl FnOnce(&dyn ErasedStore) -> Visit<T>,
    ) -> Result<T, StoreError> {
        let stopwatch = Stopwatch::start(self);
        let span = telemetry::store_span(call);
        let answer = match span.in_scope(|| visit(self.store())) {
            Visit::Answered(answer) => answer,
            waiting => waiting.within(self.settings.store_timeout).instrument(span).await,
        };
        telemetry::store_answered(call, &answer, &stopwatch);
        let is_lost = answer.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::Unknown);
        if is_lost && call != StoreCall::Load {
            telemetry::commit_unknown(self, id);
        }
        answer
    }

    /// Reads a row.
    pub(crate) fn load_row(&self, id: &SessionId) -> impl Future<Output = Result<Option<Row>, StoreError>> {
        self.visit(StoreCall::Load, id, |store| store.load(id))
    }

    /// Inserts a row.
    pub(crate) fn insert_row(
        &self,
        id: &SessionId,
        row: &Row,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Inserted, StoreError>> {
        self.visit(StoreCall::Insert, id, move |store| store.insert(id, row, lifetime))
    }

    /// Applies a patch to a row.
    pub(crate) async fn update_row(
        &self,
        id: &SessionId,
        patch: &Patch,
        lifetime: Lifetime,
    ) -> Result<Updated, StoreError> {
        let answer = self.visit(StoreCall::Update, id, |store| store.update(id, patch, lifetime)).await;
        if let Ok(Updated::Applied { renewed }) = answer {
            telemetry::updated(self, id, patch, renewed);
        }
        answer
    }

    /// Prolongs a row's life.
    pub(crate) async fn touch_row(
        &self,
        id: &SessionId,
        epoch: Epoch,
        lifetime: Lifetime,
    ) -> Result<Touched, StoreError> {
        let answer = self.visit(StoreCall::Touch, id, |store| store.touch(id, epoch, lifetime)).await;
        if let Ok(Touched::Applied) = answer {
            telemetry::touched(self, id);
        }
        answer
    }

    /// Destroys a row, of an epoch if one is given.
    pub(crate) async fn destroy_row(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let answer = self.visit(StoreCall::Destroy, id, |store| store.destroy(id, epoch)).await;
        if let Ok(Destroyed::Destroyed) = answer {
            telemetry::destroyed(self, id);
        }
        answer
    }
}
