//! A store behind one pointer: what the layer holds, and a user who chooses at run time.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{ConditionalCommit, Destroyed, Inserted, SessionStore, Touched, Updated};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::SessionId;
use crate::record::{Epoch, Lifetime, Patch, Row};
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
            telemetry::store_panicked();
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

impl<S: SessionStore> ErasedStore for Arc<S> {
    fn can_touch(&self) -> bool {
        S::can_touch(self)
    }

    fn is_instant(&self) -> bool {
        S::is_instant(self)
    }

    fn load(&self, id: &SessionId) -> Visit<Option<Row>> {
        if S::is_instant(self) {
            return Visit::instant(async { S::load(self, id).await }, Lost::Read);
        }
        let (store, id) = (Self::clone(self), id.clone());
        Visit::waiting(async move { S::load(&store, &id).await }, Lost::Read)
    }

    fn insert(&self, id: &SessionId, row: &Row, lifetime: Lifetime) -> Visit<Inserted> {
        if S::is_instant(self) {
            return Visit::instant(async { S::insert(self, id, row, lifetime).await }, Lost::Write);
        }
        let (store, id, row) = (Self::clone(self), id.clone(), row.clone());
        Visit::waiting(async move { S::insert(&store, &id, &row, lifetime).await }, Lost::Write)
    }

    fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Visit<Updated> {
        if S::is_instant(self) {
            return Visit::instant(async { S::update(self, id, patch, lifetime).await }, Lost::Write);
        }
        let (store, id, patch) = (Self::clone(self), id.clone(), patch.clone());
        Visit::waiting(async move { S::update(&store, &id, &patch, lifetime).await }, Lost::Write)
    }

    fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Visit<Touched> {
        if S::is_instant(self) {
            return Visit::instant(async { S::touch(self, id, epoch, lifetime).await }, Lost::Write);
        }
        let (store, id) = (Self::clone(self), id.clone());
        Visit::waiting(async move { S::touch(&store, &id, epoch, lifetime).await }, Lost::Write)
    }

    fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Visit<Destroyed> {
        if S::is_instant(self) {
            return Visit::instant(async { S::destroy(self, id, epoch).await }, Lost::Write);
        }
        let (store, id) = (Self::clone(self), id.clone());
        Visit::waiting(async move { S::destroy(&store, &id, epoch).await }, Lost::Write)
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
