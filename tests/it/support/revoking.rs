use std::time::Duration;

use http_session::SessionStore;
use http_session::error::StoreError;
use http_session::record::{Epoch, Lifetime, Patch, RawJson, Record};
use http_session::store::{Destroyed, Generation, IndexSessions, Inserted, Touched, Updated};
use http_session::{MemoryStore, SessionId};

/// An indexed store in which all sessions of a user are ended while that user signs in, and whose index lists a session
/// that does not exist.
#[derive(Clone, Debug, Default)]
pub struct Revoking(MemoryStore);

impl SessionStore for Revoking {
    fn is_instant(&self) -> bool {
        true
    }

    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.0.load(id).await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        self.0.insert(id, record, lifetime).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        self.0.update(id, patch, lifetime).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        self.0.touch(id, epoch, lifetime).await
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        self.0.destroy(id, epoch).await
    }
}

impl IndexSessions for Revoking {
    async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        self.0.generation(identity).await
    }

    async fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Result<(), StoreError> {
        self.0.raise_generation(identity, generation).await
    }

    async fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut ids = self.0.linked(identity, after, limit).await?;
        if after.is_none() {
            ids.push(SessionId::try_from("gone").expect("an id"));
        }
        Ok(ids)
    }

    async fn link(&self, identity: &RawJson, id: &SessionId, lifetime: Duration) -> Result<Generation, StoreError> {
        let before = self.0.link(identity, id, lifetime).await?;
        self.0.raise_generation(identity, Generation(before.0 + 1)).await?;
        Ok(before)
    }
}
