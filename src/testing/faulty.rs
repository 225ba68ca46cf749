//! A store that fails on command.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{StoreError, StoreErrorKind};
use http_session_store::SessionId;
use http_session_store::record::{Epoch, Lifetime, Patch, RawJson, Record};
use http_session_store::{
    Cursor, Destroyed, EnumerateSessions, ExpressFormat, Generation, IndexSessions, Inserted, Page, SessionStore,
    Touched, Updated,
};

/// A method of [`SessionStore`] or [`IndexSessions`] that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// [`SessionStore::load`].
    Load,
    /// [`SessionStore::insert`].
    Insert,
    /// [`SessionStore::update`].
    Update,
    /// [`SessionStore::touch`].
    Touch,
    /// [`SessionStore::destroy`].
    Destroy,
    /// [`IndexSessions::generation`].
    Generation,
    /// [`IndexSessions::raise_generation`].
    RaiseGeneration,
    /// [`IndexSessions::linked`].
    Linked,
    /// [`IndexSessions::link`].
    Link,
    /// [`IndexSessions::unlink`].
    Unlink,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The call returns this error and does nothing. The error's source contains a password, as that of a driver may.
    Error(StoreErrorKind),
    /// The call does its work, and the answer is lost.
    LostAnswer,
    /// The call never answers.
    Hang,
    /// The call panics.
    Panic,
}

/// A store that wraps another store and fails on command. Clones fail together.
///
/// Each call yields once before it answers, like a store behind a network, unless the store is made
/// [`instant`](Self::instant).
///
/// ```
/// use std::convert::Infallible;
///
/// use http::{Request, Response, StatusCode};
/// use http_session::error::StoreErrorKind;
/// use http_session::testing::{Browser, Call, Fault, Faulty};
/// use http_session::{MemoryStore, Secret, Session, SessionConfig};
///
/// # #[derive(Session)]
/// # struct Visit {
/// #     views: u64,
/// # }
/// # async fn hello<B>(_: Request<B>, mut session: Session<Visit>) -> Result<Response<String>, Infallible> {
/// #     session.views += 1;
/// #     Ok(Response::new(format!("{} views", session.views)))
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let store = Faulty::new(MemoryStore::new());
/// let sessions = SessionConfig::builder().secret(Secret::random()).store(store.clone()).build();
/// let service = sessions.service(hello::<String>);
/// let mut browser = Browser::new();
/// browser.get(&service, "/").await;
///
/// store.fail(Call::Update, Fault::Error(StoreErrorKind::Unavailable));
/// assert_eq!(browser.get(&service, "/").await.status, StatusCode::SERVICE_UNAVAILABLE);
/// store.heal();
/// assert_eq!(browser.get(&service, "/").await.text, "2 views");
/// # });
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Faulty<S> {
    store: S,
    is_instant: bool,
    faults: Arc<Mutex<HashMap<Call, Fault>>>,
}

impl<S: SessionStore> Faulty<S> {
    /// Wraps a store. It works until [`fail`](Self::fail) is called.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { store, is_instant: false, faults: Arc::default() }
    }

    /// Makes the store answer at once, and promise to do so. The wrapped store must be [instant](SessionStore::is_instant)
    /// too. Call it before the store is used or cloned.
    #[must_use]
    pub fn instant(self) -> Self {
        Self { is_instant: true, ..self }
    }

    /// The wrapped store, to see what is really stored.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Makes a call go wrong from now on.
    pub fn fail(&self, call: Call, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).insert(call, fault);
    }

    /// Makes all calls work again.
    pub fn heal(&self) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn run<T>(&self, call: Call, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let fault = self.faults.lock().unwrap_or_else(PoisonError::into_inner).get(&call).copied();
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

impl<S> fmt::Debug for Faulty<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl<S: ExpressFormat> ExpressFormat for Faulty<S> {}

impl<S: SessionStore> SessionStore for Faulty<S> {
    fn is_instant(&self) -> bool {
        self.is_instant
    }

    fn can_touch(&self) -> bool {
        self.store.can_touch()
    }

    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.run(Call::Load, self.store.load(id)).await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        self.run(Call::Insert, self.store.insert(id, record, lifetime)).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        self.run(Call::Update, self.store.update(id, patch, lifetime)).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        self.run(Call::Touch, self.store.touch(id, epoch, lifetime)).await
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        self.run(Call::Destroy, self.store.destroy(id, epoch)).await
    }
}

impl<S: IndexSessions> IndexSessions for Faulty<S> {
    async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        self.run(Call::Generation, self.store.generation(identity)).await
    }

    async fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Result<(), StoreError> {
        self.run(Call::RaiseGeneration, self.store.raise_generation(identity, generation)).await
    }

    async fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.run(Call::Linked, self.store.linked(identity, after, limit)).await
    }

    async fn link(&self, identity: &RawJson, id: &SessionId, lifetime: Duration) -> Result<Generation, StoreError> {
        self.run(Call::Link, self.store.link(identity, id, lifetime)).await
    }

    async fn unlink(&self, identity: &RawJson, id: &SessionId) -> Result<(), StoreError> {
        self.run(Call::Unlink, self.store.unlink(identity, id)).await
    }
}

/// These calls never fail.
impl<S: EnumerateSessions> EnumerateSessions for Faulty<S> {
    async fn len(&self) -> Result<usize, StoreError> {
        self.store.len().await
    }

    async fn ids(&self, from: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.store.ids(from, limit).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.store.clear().await
    }
}
