//! A store behind one pointer: what the layer holds.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{
    Cursor, Destroyed, EnumerateSessions, Generation, IndexSessions, Inserted, Page, SessionStore, Touched, Updated,
};
use crate::error::{StoreError, StoreErrorKind};
use crate::record::{Epoch, Lifetime, Patch, RawJson, Record};
use crate::store::SessionId;
use crate::telemetry;

/// One call to a store: answered on the spot, or on its way.
pub(crate) enum Visit<T> {
    Answered(Result<T, StoreError>),
    Waiting(Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>, Lost),
}

/// What a call that ended without an answer means: a read did nothing, a write may have happened (R10).
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

impl<T> Visit<T> {
    /// Polls a call that promised to answer at once, on the stack.
    fn instant(call: impl Future<Output = Result<T, StoreError>>, lost: Lost) -> Self {
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

    /// The answer, or that of a call which was given up after `limit` (R18).
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

/// A call that panics is an error of the store, not of the request.
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

/// [`SessionStore`] as an object.
pub(crate) trait ErasedStore: Send + Sync {
    fn can_touch(&self) -> bool;
    fn is_instant(&self) -> bool;
    fn load(&self, id: &SessionId) -> Visit<Option<Record>>;
    fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Visit<Inserted>;
    fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Visit<Updated>;
    fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Visit<Touched>;
    fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Visit<Destroyed>;
}

/// [`IndexSessions`] as an object.
pub(crate) trait ErasedIndex: Send + Sync {
    fn generation(&self, identity: &RawJson) -> Visit<Generation>;
    fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Visit<()>;
    fn linked(&self, identity: &RawJson, after: Option<&SessionId>, limit: usize) -> Visit<Vec<SessionId>>;
    fn link(&self, identity: &RawJson, id: &SessionId, lifetime: Duration) -> Visit<Generation>;
    fn unlink(&self, identity: &RawJson, id: &SessionId) -> Visit<()>;
}

/// [`EnumerateSessions`] as an object.
pub(crate) trait ErasedNames: Send + Sync {
    fn len(&self) -> Visit<usize>;
    fn ids(&self, from: Option<&Cursor>, limit: usize) -> Visit<Page>;
    fn clear(&self) -> Visit<()>;
}

/// Calls a method of the store behind an `Arc`: at once, or boxed with copies of its arguments.
macro_rules! visit {
    ($store:ident.$method:ident($($copied:ident),*; $($moved:ident),*), $lost:ident) => {{
        if S::is_instant($store) {
            return Visit::instant(async { S::$method($store, $($copied,)* $($moved,)*).await }, Lost::$lost);
        }
        let store = Arc::clone($store);
        $(let $copied = $copied.clone();)*
        Visit::waiting(async move { S::$method(&store, $(&$copied,)* $($moved,)*).await }, Lost::$lost)
    }};
}

impl<S: SessionStore> ErasedStore for Arc<S> {
    fn can_touch(&self) -> bool {
        S::can_touch(self)
    }

    fn is_instant(&self) -> bool {
        S::is_instant(self)
    }

    fn load(&self, id: &SessionId) -> Visit<Option<Record>> {
        visit!(self.load(id;), Read)
    }

    fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Visit<Inserted> {
        visit!(self.insert(id, record; lifetime), Write)
    }

    fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Visit<Updated> {
        visit!(self.update(id, patch; lifetime), Write)
    }

    fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Visit<Touched> {
        visit!(self.touch(id; epoch, lifetime), Write)
    }

    fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Visit<Destroyed> {
        visit!(self.destroy(id; epoch), Write)
    }
}

impl<S: IndexSessions> ErasedIndex for Arc<S> {
    fn generation(&self, identity: &RawJson) -> Visit<Generation> {
        visit!(self.generation(identity;), Read)
    }

    fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Visit<()> {
        visit!(self.raise_generation(identity; generation), Write)
    }

    fn linked(&self, identity: &RawJson, after: Option<&SessionId>, limit: usize) -> Visit<Vec<SessionId>> {
        if S::is_instant(self) {
            return Visit::instant(async { S::linked(self, identity, after, limit).await }, Lost::Read);
        }
        let (store, identity, after) = (Self::clone(self), identity.clone(), after.cloned());
        Visit::waiting(async move { S::linked(&store, &identity, after.as_ref(), limit).await }, Lost::Read)
    }

    fn link(&self, identity: &RawJson, id: &SessionId, lifetime: Duration) -> Visit<Generation> {
        visit!(self.link(identity, id; lifetime), Write)
    }

    fn unlink(&self, identity: &RawJson, id: &SessionId) -> Visit<()> {
        visit!(self.unlink(identity, id;), Write)
    }
}

impl<S: EnumerateSessions> ErasedNames for Arc<S> {
    fn len(&self) -> Visit<usize> {
        visit!(self.len(;), Read)
    }

    fn ids(&self, from: Option<&Cursor>, limit: usize) -> Visit<Page> {
        if S::is_instant(self) {
            return Visit::instant(async { S::ids(self, from, limit).await }, Lost::Read);
        }
        let (store, from) = (Self::clone(self), from.cloned());
        Visit::waiting(async move { S::ids(&store, from.as_ref(), limit).await }, Lost::Read)
    }

    fn clear(&self) -> Visit<()> {
        visit!(self.clear(;), Write)
    }
}
