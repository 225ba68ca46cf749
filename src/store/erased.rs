//! A store behind a pointer, without its type: what the layer holds.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{Cursor, Destroyed, EnumerateSessions, Generation, IndexSessions, Inserted, Page, Touched, Updated};
use crate::error::{StoreError, StoreErrorKind};
use crate::telemetry;
use http_session_store::SessionId;
use http_session_store::SessionStore;
use http_session_store::record::{Epoch, Lifetime, Patch, RawJson, Record};

/// A call to a store: answered at once, or under way.
pub(crate) enum StoreCall<T> {
    Answered(Result<T, StoreError>),
    Waiting(Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>, Lost),
}

/// What it means if a call ends without an answer: a read did nothing, but a write may have happened (R10).
#[derive(Clone, Copy)]
pub(crate) enum Lost {
    Read,
    Write,
}

impl Lost {
    const fn error(self) -> StoreError {
        StoreError::new(match self {
            Self::Read => StoreErrorKind::Unavailable,
            Self::Write => StoreErrorKind::Unknown,
        })
    }
}

impl<T> StoreCall<T> {
    /// Polls a call of a store that promised to answer at once. The future stays on the stack.
    fn instant(call: impl Future<Output = Result<T, StoreError>>, lost: Lost) -> Self {
        // Nothing wakes this call: one poll has to answer, and one that does not has broken its promise.
        let mut context = Context::from_waker(Waker::noop());
        match poll_guarded(pin!(call), &mut context, lost) {
            Poll::Ready(answer) => Self::Answered(answer),
            Poll::Pending => {
                telemetry::store_waited();
                Self::Answered(Err(lost.error()))
            }
        }
    }

    fn waiting(call: impl Future<Output = Result<T, StoreError>> + Send + 'static, lost: Lost) -> Self {
        let guarded = async move {
            let mut call = pin!(call);
            std::future::poll_fn(|context| poll_guarded(call.as_mut(), context, lost)).await
        };
        Self::Waiting(Box::pin(guarded), lost)
    }

    /// Waits for the answer. After `limit` the call is given up (R18).
    pub(crate) async fn within(self, limit: Duration) -> Result<T, StoreError> {
        match self {
            Self::Answered(answer) => answer,
            Self::Waiting(call, lost) => match tokio::time::timeout(limit, call).await {
                Ok(answer) => answer,
                Err(_) => {
                    telemetry::store_timed_out();
                    Err(lost.error())
                }
            },
        }
    }

    pub(super) async fn unlimited(self) -> Result<T, StoreError> {
        match self {
            Self::Answered(answer) => answer,
            Self::Waiting(call, _) => call.await,
        }
    }
}

/// Polls a call. If it panics, the store has failed; the request goes on.
fn poll_guarded<T>(
    call: Pin<&mut impl Future<Output = Result<T, StoreError>>>,
    context: &mut Context<'_>,
    lost: Lost,
) -> Poll<Result<T, StoreError>> {
    match std::panic::catch_unwind(AssertUnwindSafe(|| call.poll(context))) {
        Ok(poll) => poll,
        Err(_) => {
            telemetry::store_panicked();
            Poll::Ready(Err(lost.error()))
        }
    }
}

/// [`SessionStore`] as a trait object.
pub(crate) trait ErasedStore: Send + Sync {
    fn can_touch(&self) -> bool;
    fn is_instant(&self) -> bool;
    fn load(&self, id: &SessionId) -> StoreCall<Option<Record>>;
    fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> StoreCall<Inserted>;
    fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> StoreCall<Updated>;
    fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> StoreCall<Touched>;
    fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> StoreCall<Destroyed>;
}

/// [`IndexSessions`] as a trait object.
pub(crate) trait ErasedIndex: Send + Sync {
    fn generation(&self, identity: &RawJson) -> StoreCall<Generation>;
    fn raise_generation(&self, identity: &RawJson, generation: Generation) -> StoreCall<()>;
    fn linked(&self, identity: &RawJson, after: Option<&SessionId>, limit: usize) -> StoreCall<Vec<SessionId>>;
    fn link(&self, identity: &RawJson, id: &SessionId, lifetime: Duration) -> StoreCall<Generation>;
    fn unlink(&self, identity: &RawJson, id: &SessionId) -> StoreCall<()>;
}

/// [`EnumerateSessions`] as a trait object.
pub(crate) trait ErasedNames: Send + Sync {
    fn len(&self) -> StoreCall<usize>;
    fn ids(&self, from: Option<&Cursor>, limit: usize) -> StoreCall<Page>;
    fn clear(&self) -> StoreCall<()>;
}

/// Calls a method of the store behind an `Arc`. An instant store is polled at once with borrowed arguments; for any other
/// store the future is boxed and gets copies of the arguments.
macro_rules! store_call {
    ($store:ident.$method:ident($($copied:ident),*; $($moved:ident),*), $lost:ident) => {{
        if S::is_instant($store) {
            return StoreCall::instant(async { S::$method($store, $($copied,)* $($moved,)*).await }, Lost::$lost);
        }
        let store = Arc::clone($store);
        $(let $copied = $copied.clone();)*
        StoreCall::waiting(async move { S::$method(&store, $(&$copied,)* $($moved,)*).await }, Lost::$lost)
    }};
}

impl<S: SessionStore> ErasedStore for Arc<S> {
    fn can_touch(&self) -> bool {
        S::can_touch(self)
    }

    fn is_instant(&self) -> bool {
        S::is_instant(self)
    }

    fn load(&self, id: &SessionId) -> StoreCall<Option<Record>> {
        store_call!(self.load(id;), Read)
    }

    fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> StoreCall<Inserted> {
        store_call!(self.insert(id, record; lifetime), Write)
    }

    fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> StoreCall<Updated> {
        store_call!(self.update(id, patch; lifetime), Write)
    }

    fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> StoreCall<Touched> {
        store_call!(self.touch(id; epoch, lifetime), Write)
    }

    fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> StoreCall<Destroyed> {
        store_call!(self.destroy(id; epoch), Write)
    }
}

impl<S: IndexSessions> ErasedIndex for Arc<S> {
    fn generation(&self, identity: &RawJson) -> StoreCall<Generation> {
        store_call!(self.generation(identity;), Read)
    }

    fn raise_generation(&self, identity: &RawJson, generation: Generation) -> StoreCall<()> {
        store_call!(self.raise_generation(identity; generation), Write)
    }

    fn linked(&self, identity: &RawJson, after: Option<&SessionId>, limit: usize) -> StoreCall<Vec<SessionId>> {
        if S::is_instant(self) {
            return StoreCall::instant(async { S::linked(self, identity, after, limit).await }, Lost::Read);
        }
        let (store, identity, after) = (Self::clone(self), identity.clone(), after.cloned());
        StoreCall::waiting(async move { S::linked(&store, &identity, after.as_ref(), limit).await }, Lost::Read)
    }

    fn link(&self, identity: &RawJson, id: &SessionId, lifetime: Duration) -> StoreCall<Generation> {
        store_call!(self.link(identity, id; lifetime), Write)
    }

    fn unlink(&self, identity: &RawJson, id: &SessionId) -> StoreCall<()> {
        store_call!(self.unlink(identity, id;), Write)
    }
}

impl<S: EnumerateSessions> ErasedNames for Arc<S> {
    fn len(&self) -> StoreCall<usize> {
        store_call!(self.len(;), Read)
    }

    fn ids(&self, from: Option<&Cursor>, limit: usize) -> StoreCall<Page> {
        if S::is_instant(self) {
            return StoreCall::instant(async { S::ids(self, from, limit).await }, Lost::Read);
        }
        let (store, from) = (Self::clone(self), from.cloned());
        StoreCall::waiting(async move { S::ids(&store, from.as_ref(), limit).await }, Lost::Read)
    }

    fn clear(&self) -> StoreCall<()> {
        store_call!(self.clear(;), Write)
    }
}
