//! A store behind one pointer: what the layer holds, and a user who chooses at run time.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{ConditionalCommit, Destroyed, Generation, IndexSessions, Inserted, SessionStore, Touched, Updated};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::SessionId;
use crate::record::{Epoch, Lifetime, Patch, RawJson, Row};

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
                tracing::error!(name: "session.store.waited", "a store that promised to be instant did not answer at once");
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
                    tracing::error!(name: "session.store.timed_out", "the session store did not answer in time");
                    Err(lost.error())
                }
            },
        }
    }

    async fn unlimited(self) -> Result<T, StoreError> {
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
            tracing::error!(name: "session.store.panicked", "the session store panicked");
            Poll::Ready(Err(lost.error()))
        }
    }
}

/// [`SessionStore`] as an object.
pub(crate) trait ErasedStore: Send + Sync {
    fn can_touch(&self) -> bool;
    fn is_instant(&self) -> bool;
    fn load(&self, id: &SessionId) -> Visit<Option<Row>>;
    fn insert(&self, id: &SessionId, row: &Row, lifetime: Lifetime) -> Visit<Inserted>;
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

    fn load(&self, id: &SessionId) -> Visit<Option<Row>> {
        visit!(self.load(id;), Read)
    }

    fn insert(&self, id: &SessionId, row: &Row, lifetime: Lifetime) -> Visit<Inserted> {
        visit!(self.insert(id, row; lifetime), Write)
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

/// A store chosen at run time. A store that panics is one that failed; so is one that promised to be
/// [instant](SessionStore::is_instant) and waits. It does not speak the express format and does not enumerate.
///
/// ```
/// use http_session::store::AnyStore;
/// use http_session::{MemoryStore, Secret, SessionConfig};
///
/// let store = AnyStore::new(MemoryStore::new());
/// let sessions: SessionConfig<AnyStore> = SessionConfig::builder().secret(Secret::random()).store(store).build();
/// ```
#[derive(Clone)]
pub struct AnyStore(Arc<dyn ErasedStore>);

impl AnyStore {
    /// Hides the type of a store that commits conditionally.
    ///
    /// ```
    /// # use http_session::{MemoryStore, store::AnyStore};
    /// let small = true;
    /// let store = if small {
    ///     AnyStore::new(MemoryStore::new().max_sessions(1000))
    /// } else {
    ///     AnyStore::new(MemoryStore::new()) // another type as well
    /// };
    /// ```
    #[must_use]
    pub fn new<S: ConditionalCommit>(store: S) -> Self {
        Self::erase(Arc::new(store))
    }

    pub(crate) fn erase<S: SessionStore>(store: Arc<S>) -> Self {
        Self(Arc::new(store))
    }

    pub(crate) fn erased(&self) -> &dyn ErasedStore {
        &*self.0
    }
}

impl fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyStore(..)")
    }
}

impl ConditionalCommit for AnyStore {}

impl SessionStore for AnyStore {
    fn can_touch(&self) -> bool {
        self.0.can_touch()
    }

    fn is_instant(&self) -> bool {
        self.0.is_instant()
    }

    async fn load(&self, id: &SessionId) -> Result<Option<Row>, StoreError> {
        self.0.load(id).unlimited().await
    }

    async fn insert(&self, id: &SessionId, row: &Row, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        self.0.insert(id, row, lifetime).unlimited().await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        self.0.update(id, patch, lifetime).unlimited().await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        self.0.touch(id, epoch, lifetime).unlimited().await
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        self.0.destroy(id, epoch).unlimited().await
    }
}
