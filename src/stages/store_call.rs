//! One function for each call to the store. Each call has a time limit (R18), and is reported to operators.

use std::time::Duration;

use tracing::Instrument as _;

use crate::config::ErasedConfig;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::{ErasedIndex, ErasedStore, StoreCall};
use crate::telemetry::{self, Stopwatch, StoreMethod};
use http_session_store::record::{Epoch, Lifetime, Patch, RawJson, Record};
use http_session_store::{Destroyed, Generation, Inserted, SessionId, Touched, Updated};

async fn run<T>(
    config: &ErasedConfig,
    method: StoreMethod,
    call: impl FnOnce() -> StoreCall<T>,
) -> Result<T, StoreError> {
    let stopwatch = Stopwatch::start(&*config.settings.clock);
    let span = telemetry::store_span(method);
    // An instant store answers here, without a box and without a timer.
    let answer = match span.in_scope(call) {
        StoreCall::Answered(answer) => answer,
        waiting => waiting.within(config.settings.store_time_limit).instrument(span).await,
    };
    telemetry::store_answered(method, &answer, &stopwatch);
    answer
}

/// A call that writes a record. Reports if its answer was lost.
async fn write<T>(
    config: &ErasedConfig,
    method: StoreMethod,
    id: &SessionId,
    call: impl FnOnce(&dyn ErasedStore) -> StoreCall<T>,
) -> Result<T, StoreError> {
    let answer = run(config, method, || call(config.store())).await;
    if answer.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::Unknown) {
        telemetry::commit_unknown(&config.tags, id);
    }
    answer
}

/// Reads a record.
pub(crate) fn load(config: &ErasedConfig, id: &SessionId) -> impl Future<Output = Result<Option<Record>, StoreError>> {
    run(config, StoreMethod::Load, || config.store().load(id))
}

/// Inserts a record.
pub(crate) fn insert(
    config: &ErasedConfig,
    id: &SessionId,
    record: &Record,
    lifetime: Lifetime,
) -> impl Future<Output = Result<Inserted, StoreError>> {
    write(config, StoreMethod::Insert, id, move |store| store.insert(id, record, lifetime))
}

/// Applies a patch to a record.
pub(crate) async fn update(
    config: &ErasedConfig,
    id: &SessionId,
    patch: &Patch,
    lifetime: Lifetime,
) -> Result<Updated, StoreError> {
    let answer = write(config, StoreMethod::Update, id, |store| store.update(id, patch, lifetime)).await;
    if let Ok(Updated::Applied { renewed }) = answer {
        telemetry::updated(&config.tags, id, patch, renewed);
    }
    answer
}

/// Prolongs the life of a record.
pub(crate) async fn touch(
    config: &ErasedConfig,
    id: &SessionId,
    epoch: Epoch,
    lifetime: Lifetime,
) -> Result<Touched, StoreError> {
    let answer = write(config, StoreMethod::Touch, id, |store| store.touch(id, epoch, lifetime)).await;
    if let Ok(Touched::Applied) = answer {
        telemetry::touched(&config.tags, id);
    }
    answer
}

/// Destroys a record, if it has the given epoch. Without an epoch, destroys it in any case.
pub(crate) async fn destroy(
    config: &ErasedConfig,
    id: &SessionId,
    epoch: Option<Epoch>,
) -> Result<Destroyed, StoreError> {
    let answer = write(config, StoreMethod::Destroy, id, |store| store.destroy(id, epoch)).await;
    if let Ok(Destroyed::Destroyed) = answer {
        telemetry::destroyed(&config.tags, id);
    }
    answer
}

/// The generation of an identity. Without an index it never changes.
pub(crate) async fn generation(config: &ErasedConfig, identity: &RawJson) -> Result<Generation, StoreError> {
    match config.index() {
        Some(index) => run(config, StoreMethod::Generation, || index.generation(identity)).await,
        None => Ok(Generation::NONE),
    }
}

pub(crate) fn raise_generation(
    config: &ErasedConfig,
    index: &dyn ErasedIndex,
    identity: &RawJson,
    generation: Generation,
) -> impl Future<Output = Result<(), StoreError>> {
    run(config, StoreMethod::RaiseGeneration, move || index.raise_generation(identity, generation))
}

pub(crate) fn linked(
    config: &ErasedConfig,
    index: &dyn ErasedIndex,
    identity: &RawJson,
    after: Option<&SessionId>,
    limit: usize,
) -> impl Future<Output = Result<Vec<SessionId>, StoreError>> {
    run(config, StoreMethod::Linked, move || index.linked(identity, after, limit))
}

pub(crate) fn link(
    config: &ErasedConfig,
    index: &dyn ErasedIndex,
    identity: &RawJson,
    id: &SessionId,
    lifetime: Duration,
) -> impl Future<Output = Result<Generation, StoreError>> {
    run(config, StoreMethod::Link, move || index.link(identity, id, lifetime))
}

pub(crate) fn unlink(
    config: &ErasedConfig,
    index: &dyn ErasedIndex,
    identity: &RawJson,
    id: &SessionId,
) -> impl Future<Output = Result<(), StoreError>> {
    run(config, StoreMethod::Unlink, move || index.unlink(identity, id))
}
