//! Compile errors are part of the interface; `fail` and `pass` have the programs that test them.

use http_session::error::StoreError;
use http_session::record::{Epoch, Lifetime, Patch, Record};
use http_session::store::{Destroyed, Inserted, Touched, Updated};
use http_session::{SessionId, SessionStore};

/// A store without optional capabilities: it has no index, cannot enumerate its sessions, and has no express format.
#[expect(clippy::exhaustive_structs, reason = "the cases construct it")]
#[derive(Debug)]
pub struct PlainStore<Connection = ()>(pub Connection);

impl<Connection: Send + Sync + 'static> SessionStore for PlainStore<Connection> {
    async fn load(&self, _: &SessionId) -> Result<Option<Record>, StoreError> {
        Ok(None)
    }

    async fn insert(&self, _: &SessionId, _: &Record, _: Lifetime) -> Result<Inserted, StoreError> {
        Ok(Inserted::Inserted)
    }

    async fn update(&self, _: &SessionId, _: &Patch, _: Lifetime) -> Result<Updated, StoreError> {
        Ok(Updated::Missing)
    }

    async fn touch(&self, _: &SessionId, _: Epoch, _: Lifetime) -> Result<Touched, StoreError> {
        Ok(Touched::Missing)
    }

    async fn destroy(&self, _: &SessionId, _: Option<Epoch>) -> Result<Destroyed, StoreError> {
        Ok(Destroyed::Missing)
    }
}
