//! A complete store over three methods, for one process.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::Future;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};

use crate::answer::{Destroyed, Inserted, Touched, Updated};
use crate::clock::{Clock, SystemClock};
use crate::entry::Entry;
use crate::error::{StoreError, StoreErrorKind};
use crate::id::SessionId;
use crate::record::{Epoch, Lifetime, Patch, Record};
use crate::session_store::SessionStore;

/// Bytes under a key: the three methods that express-session demands of a store. [`Exclusive`] makes a complete store of them.
///
/// Each method must be atomic: a reader sees the bytes of one `set` as a whole.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Mutex, PoisonError};
/// use std::time::Duration;
///
/// use http_session_store::error::StoreError;
/// use http_session_store::{Blobs, Exclusive, SessionId};
///
/// #[derive(Default)]
/// struct Shelf(Mutex<HashMap<SessionId, Vec<u8>>>);
///
/// impl Blobs for Shelf {
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
/// let store = Exclusive::new(Shelf::default());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not keep bytes under session ids",
    label = "this has no `get`, `set` and `destroy` for sessions",
    note = "implement `Blobs` for `{Self}`, or `SessionStore`, which does not need `Exclusive::new(..)`"
)]
pub trait Blobs: Send + Sync + 'static {
    /// The bytes that were last set, if they are still there.
    ///
    /// # Errors
    /// The back-end failed.
    fn get(&self, id: &SessionId) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;

    /// Keeps these bytes and replaces earlier ones. The back-end may remove them after `time_to_live`, but not sooner, and it
    /// does not have to.
    ///
    /// # Errors
    /// The back-end failed, or has no room. If nobody can tell whether it happened, the kind is
    /// [`Unknown`](StoreErrorKind::Unknown).
    fn set(
        &self,
        id: &SessionId,
        bytes: Vec<u8>,
        time_to_live: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes the bytes. To destroy a session, the store [sets](Self::set) its tombstone, which stays for a minute. This call
    /// removes bytes that have expired or cannot be read.
    ///
    /// # Errors
    /// The back-end failed.
    fn destroy(&self, id: &SessionId) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Sessions in [`Blobs`] that only this process writes.
///
/// A write is a `get` and a `set`, so two writers of one session would overwrite each other. This store lets the writes of a
/// session happen one after another. With that it keeps the whole contract, as long as **this value and its clones are the only
/// writers** of the bytes: no second `Exclusive` over the same bytes, no second server, and no overlap of the old and the new
/// process during a deployment. A back-end that compares and swaps does not need this: it implements [`SessionStore`] with
/// [`Entry`].
///
/// A write runs to its end in a task of its own, even if its caller gives up: the next write of the session waits for it. So a
/// call needs a tokio runtime, and each method of the blobs must come to an end: one that never does blocks the writes of its
/// session for ever. Calls that would have to wait behind too many others are refused as
/// [`Unavailable`](StoreErrorKind::Unavailable). Times are those of this machine's clock.
pub struct Exclusive<B>(Arc<Shared<B>>);

struct Shared<B> {
    blobs: B,
    clock: Box<dyn Clock>,
    /// Whose turn it is: sessions share a turn by the hash of their id.
    turns: [Turn; TURNS],
    hasher: RandomState,
}

/// One write at a time. Tokio's mutex is made to be held over an await.
struct Turn {
    mutex: Mutex<()>,
    /// A place for each write that waits or runs, so that a back-end that hangs does not collect calls for ever.
    places: Arc<Semaphore>,
}

impl Turn {
    fn new() -> Self {
        Self { mutex: Mutex::const_new(()), places: Arc::new(Semaphore::new(MAX_WAITING)) }
    }
}

/// Many more than the requests of one browser at a moment.
const MAX_WAITING: usize = 1024;

/// Sessions whose ids share a turn wait for each other, so there are many more than a process has writes under way.
const TURNS: usize = 256;

impl<B: Blobs> Exclusive<B> {
    /// Sessions in these blobs.
    #[must_use]
    pub fn new(blobs: B) -> Self {
        Self::with_clock(blobs, SystemClock::new())
    }

    /// The same with another clock, for tests. Its [`unix`](Clock::unix) time is used.
    #[must_use]
    pub fn with_clock(blobs: B, clock: impl Clock) -> Self {
        let turns = std::array::from_fn(|_| Turn::new());
        Self(Arc::new(Shared { blobs, clock: Box::new(clock), turns, hasher: RandomState::new() }))
    }

    /// The blobs.
    #[must_use]
    pub fn blobs(&self) -> &B {
        &self.0.blobs
    }

    /// Runs a write in its turn, and to its end even if the caller is gone: a `set` that is still on its way must not arrive
    /// after the next one.
    async fn write<T, W>(
        &self,
        id: &SessionId,
        write: impl FnOnce(Arc<Shared<B>>, SessionId) -> W,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (shared, id) = (Arc::clone(&self.0), id.clone());
        let Ok(place) = Arc::clone(&shared.turn(&id).places).try_acquire_owned() else {
            return Err(StoreError::new(StoreErrorKind::Unavailable));
        };
        let work = write(Arc::clone(&shared), id.clone());
        let task = tokio::spawn(async move {
            let _place = place;
            let _turn = shared.turn(&id).mutex.lock().await;
            work.await
        });
        // If the back-end panics, nobody knows what happened.
        task.await.unwrap_or_else(|_| Err(StoreError::new(StoreErrorKind::Unknown)))
    }
}

impl<B: Blobs> Shared<B> {
    fn turn(&self, id: &SessionId) -> &Turn {
        let index = usize::try_from(self.hasher.hash_one(id) % TURNS as u64).unwrap_or_default();
        self.turns.get(index).unwrap_or(&self.turns[0])
    }

    /// The live entry under an id.
    async fn entry(&self, id: &SessionId, now: Duration) -> Result<Option<Entry>, StoreError> {
        let bytes = self.blobs.get(id).await?;
        let entry = bytes.map(|bytes| Entry::from_bytes(&bytes)).transpose()?;
        Ok(entry.filter(|entry| entry.is_live(now)))
    }

    async fn keep(&self, id: &SessionId, entry: &Entry, now: Duration) -> Result<(), StoreError> {
        if !entry.is_live(now) {
            return self.blobs.destroy(id).await;
        }
        self.blobs.set(id, entry.to_bytes(), entry.end().saturating_sub(now)).await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let now = self.clock.unix();
        match self.entry(id, now).await {
            Ok(None) => {}
            // Bytes that cannot be read may be a session of a newer version: they are not overwritten.
            Err(error) if error.kind() == StoreErrorKind::Corrupt => return Ok(Inserted::Taken),
            Ok(Some(_)) => return Ok(Inserted::Taken),
            Err(error) => return Err(error),
        }
        self.keep(id, &Entry::new(record, lifetime, now), now).await?;
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
            // Bytes that cannot be read are of no use to anybody, and must not come back as a session.
            (Err(error), None) if error.kind() == StoreErrorKind::Corrupt => {
                return self.blobs.destroy(id).await.map(|()| Destroyed::Destroyed);
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

/// Clones share the blobs and the turns.
impl<B> Clone for Exclusive<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B> fmt::Debug for Exclusive<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exclusive(..)")
    }
}

impl<B: Blobs> SessionStore for Exclusive<B> {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        let now = self.0.clock.unix();
        Ok(self.0.entry(id, now).await?.map(|entry| entry.record(now)))
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        let record = record.clone();
        self.write(id, |shared, id| async move { shared.insert(&id, &record, lifetime).await }).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        let patch = patch.clone();
        self.write(id, |shared, id| async move { shared.update(&id, &patch, lifetime).await }).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        self.write(id, move |shared, id| async move { shared.touch(&id, epoch, lifetime).await }).await
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        self.write(id, move |shared, id| async move { shared.destroy(&id, epoch).await }).await
    }
}
