//! Three methods instead of five: a store that only overwrites.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use super::{Destroyed, Entry, Inserted, SessionStore, Touched, Updated};
use crate::clock::{Clock, SystemClock};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::SessionId;
use crate::record::{Epoch, Lifetime, Patch, Row};

/// What express-session demands of a store: bytes under a key. [`Basic`] makes sessions of it.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Mutex, PoisonError};
/// use std::time::Duration;
///
/// use http_session::error::StoreError;
/// use http_session::store::{Basic, BasicStore};
/// use http_session::{Secret, Session, SessionConfig, SessionId};
///
/// #[derive(Default)]
/// struct Shelf(Mutex<HashMap<SessionId, Vec<u8>>>);
///
/// impl BasicStore for Shelf {
///     async fn get(&self, id: &SessionId) -> Result<Option<Vec<u8>>, StoreError> {
///         Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned())
///     }
///
///     async fn set(&self, id: &SessionId, bytes: Vec<u8>, _time_to_live: Duration) -> Result<(), StoreError> {
///         self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), bytes);
///         Ok(())
///     }
///
///     async fn destroy(&self, id: &SessionId) -> Result<(), StoreError> {
///         self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
///         Ok(())
///     }
/// }
///
/// #[derive(Session)]
/// struct Visit {
///     views: u64,
/// }
///
/// let store = Basic::new(Shelf::default());
/// let sessions = SessionConfig::builder().secret(Secret::random()).store(store).build();
/// let service = sessions.service(async |_: http::Request<()>, mut session: Session<Visit>| {
///     session.views += 1;
///     Ok::<_, std::convert::Infallible>(http::Response::new(()))
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a basic store",
    label = "this has no `get`, `set` and `destroy` for sessions",
    note = "implement `BasicStore` for `{Self}`, or `SessionStore`, which needs no `Basic::new(..)`"
)]
pub trait BasicStore: Send + Sync + 'static {
    /// The bytes that were last set, if they are still there.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session::{SessionId, error::StoreError, store::BasicStore};
    /// async fn is_there(store: &impl BasicStore, id: &SessionId) -> Result<bool, StoreError> {
    ///     Ok(store.get(id).await?.is_some())
    /// }
    /// ```
    fn get(&self, id: &SessionId) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;

    /// Keeps these bytes in place of others. They may be removed after this time, not sooner; nothing happens if they are not.
    ///
    /// # Errors
    /// The store failed, or has no room.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{SessionId, error::StoreError, store::BasicStore};
    /// async fn keep(store: &impl BasicStore, id: &SessionId, bytes: Vec<u8>) -> Result<(), StoreError> {
    ///     store.set(id, bytes, Duration::from_secs(3600)).await
    /// }
    /// ```
    fn set(
        &self,
        id: &SessionId,
        bytes: Vec<u8>,
        time_to_live: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes the bytes. A session that is destroyed is [`set`](Self::set) to its tombstone, which stays for a minute; this is
    /// for one that is over, and for bytes that are none.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session::{SessionId, error::StoreError, store::BasicStore};
    /// async fn remove(store: &impl BasicStore, id: &SessionId) -> Result<(), StoreError> {
    ///     store.destroy(id).await
    /// }
    /// ```
    fn destroy(&self, id: &SessionId) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Sessions in a [`BasicStore`], as [entries](Entry).
///
/// Every write is a `get` and a `set`, and what others set in between is lost. So it does not implement
/// [`ConditionalCommit`](super::ConditionalCommit), and a session type with an identity or merge rules does not compile with
/// it (behind an [`overwriting_layer`](crate::SessionConfig::overwriting_layer) it is refused). What is lost besides:
///
/// - of two requests at the same moment the changes of one may be lost (R9), also to one that only read and is noted as activity
///   (R7), and a slow request may bring back a session that was destroyed at that moment (R8);
/// - of two that renew or rotate the secret at the same moment one has a cookie that is no longer known (R4, R6);
/// - a one-time value may be taken twice (R13);
/// - times are those of this machine (R7): several machines need clocks that agree.
///
/// One after the other, requests see everything that the rules promise.
///
/// ```
/// # use std::time::Duration;
/// # use http_session::{SessionId, error::StoreError, store::{Basic, BasicStore}};
/// # struct Shelf;
/// # impl BasicStore for Shelf {
/// #     async fn get(&self, _: &SessionId) -> Result<Option<Vec<u8>>, StoreError> { Ok(None) }
/// #     async fn set(&self, _: &SessionId, _: Vec<u8>, _: Duration) -> Result<(), StoreError> { Ok(()) }
/// #     async fn destroy(&self, _: &SessionId) -> Result<(), StoreError> { Ok(()) }
/// # }
/// let store = Basic::new(Shelf);
/// ```
pub struct Basic<B> {
    store: B,
    clock: Box<dyn Clock>,
}

impl<B: BasicStore> Basic<B> {
    /// Sessions in this store.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use http_session::{SessionId, error::StoreError, store::{Basic, BasicStore}};
    /// fn sessions_in<B: BasicStore>(store: B) -> Basic<B> {
    ///     Basic::new(store)
    /// }
    /// ```
    #[must_use]
    pub fn new(store: B) -> Self {
        Self { store, clock: Box::new(SystemClock::new()) }
    }

    /// Another clock, for tests. Its [`unix`](Clock::unix) time is used.
    ///
    /// ```
    /// # use http_session::{clock::ManualClock, store::{Basic, BasicStore}};
    /// fn with_time_by_hand<B: BasicStore>(store: B, clock: &ManualClock) -> Basic<B> {
    ///     Basic::new(store).clock(clock.clone())
    /// }
    /// ```
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Box::new(clock), ..self }
    }

    /// What is live under an id.
    async fn entry(&self, id: &SessionId, now: Duration) -> Result<Option<Entry>, StoreError> {
        let bytes = self.store.get(id).await?;
        let entry = bytes.map(|bytes| Entry::from_bytes(&bytes)).transpose()?;
        Ok(entry.filter(|entry| entry.is_live(now)))
    }

    async fn keep(&self, id: &SessionId, entry: &Entry, now: Duration) -> Result<(), StoreError> {
        if !entry.is_live(now) {
            return self.store.destroy(id).await;
        }
        self.store.set(id, entry.to_bytes(), entry.end().saturating_sub(now)).await
    }
}

impl<B> fmt::Debug for Basic<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Basic(..)")
    }
}

impl<B: BasicStore> SessionStore for Basic<B> {
    async fn load(&self, id: &SessionId) -> Result<Option<Row>, StoreError> {
        let now = self.clock.unix();
        Ok(self.entry(id, now).await?.map(|entry| entry.row(now)))
    }

    async fn insert(&self, id: &SessionId, row: &Row, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let now = self.clock.unix();
        match self.entry(id, now).await {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(Inserted::Taken),
            Err(error) if error.kind() == StoreErrorKind::Corrupt => return Ok(Inserted::Taken),
            Err(error) => return Err(error),
        }
        self.keep(id, &Entry::new(row, lifetime, now), now).await?;
        Ok(Inserted::Inserted)
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        let now = self.clock.unix();
        let Some(mut entry) = self.entry(id, now).await? else { return Ok(Updated::Missing) };
        let updated = entry.update(patch, lifetime, now);
        if matches!(updated, Updated::Applied { .. }) {
            self.keep(id, &entry, now).await?;
        }
        Ok(updated)
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        let now = self.clock.unix();
        let Some(mut entry) = self.entry(id, now).await? else { return Ok(Touched::Missing) };
        let touched = entry.touch(epoch, lifetime, now);
        if touched == Touched::Applied {
            self.keep(id, &entry, now).await?;
        }
        Ok(touched)
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        let now = self.clock.unix();
        let entry = match (self.entry(id, now).await, epoch) {
            // Unreadable: there is nothing to lose, and nobody may come back to it.
            (Err(error), None) if error.kind() == StoreErrorKind::Corrupt => {
                return self.store.destroy(id).await.map(|()| Destroyed::Destroyed);
            }
            (entry, _) => entry?,
        };
        let Some(mut entry) = entry else { return Ok(Destroyed::Missing) };
        let destroyed = entry.destroy(epoch, now);
        if destroyed == Destroyed::Destroyed {
            self.keep(id, &entry, now).await?;
        }
        Ok(destroyed)
    }
}
