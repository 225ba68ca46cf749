use std::sync::{Arc, Mutex};

use http_session::SessionId;
use http_session::SessionStore;
use http_session::error::StoreError;
use http_session::record::{Epoch, Lifetime, Patch, Record};
use http_session::store::{Destroyed, ExpressFormat, Inserted, Touched, Updated};

/// A store that records the name and the session id of every call before it passes the call on.
#[derive(Clone, Debug)]
pub struct Recording<S> {
    pub inner: S,
    pub calls: Arc<Mutex<Vec<(&'static str, SessionId)>>>,
    pub can_touch: bool,
    pub is_instant: bool,
}

impl<S: SessionStore> Recording<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, calls: Arc::default(), can_touch: true, is_instant: true }
    }

    /// Returns the calls since this was last called.
    pub fn take_calls(&self) -> Vec<(&'static str, SessionId)> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// Returns the names of the calls since this was last called.
    pub fn take_names(&self) -> Vec<&'static str> {
        self.take_calls().into_iter().map(|(name, _)| name).collect()
    }

    fn note(&self, name: &'static str, id: &SessionId) {
        self.calls.lock().unwrap().push((name, id.clone()));
    }
}

impl<S: ExpressFormat> ExpressFormat for Recording<S> {}

impl<S: SessionStore> SessionStore for Recording<S> {
    fn can_touch(&self) -> bool {
        self.can_touch
    }

    fn is_instant(&self) -> bool {
        self.is_instant
    }

    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.note("load", id);
        self.inner.load(id).await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        self.note("insert", id);
        self.inner.insert(id, record, lifetime).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        self.note("update", id);
        self.inner.update(id, patch, lifetime).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        self.note("touch", id);
        self.inner.touch(id, epoch, lifetime).await
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        self.note("destroy", id);
        self.inner.destroy(id, epoch).await
    }
}
