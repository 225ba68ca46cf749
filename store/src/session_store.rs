//! The contract: five methods.

use std::future::Future;

use crate::answer::{Destroyed, Inserted, Touched, Updated};
use crate::error::StoreError;
use crate::id::SessionId;
use crate::record::{Epoch, Lifetime, Patch, Record};

/// Where sessions are kept.
///
/// Write the methods as `async fn`. The middleware limits the time of every call. A call that is dropped half-way must have done all
/// of its work or nothing. If the answer to a write was lost, the error is
/// [`StoreErrorKind::Unknown`](crate::error::StoreErrorKind::Unknown), and the write is not retried.
///
/// A destroyed record leaves a [tombstone](Record::tombstone). `load` returns it, `insert` does not overwrite it, and every
/// other call answers `Superseded` or `Missing`.
///
/// The [documentation of the crate](crate) has a first store. [`MemoryStore`](crate::MemoryStore) is the reference. A store in
/// front of another one delegates:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use http_session_store::error::StoreError;
/// use http_session_store::record::{Epoch, Lifetime, Patch, Record};
/// use http_session_store::{Destroyed, Inserted, SessionId, SessionStore, Touched, Updated};
///
/// /// Counts loads.
/// struct Counted<S> {
///     store: S,
///     loads: AtomicU64,
/// }
///
/// impl<S: SessionStore> SessionStore for Counted<S> {
///     async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
///         self.loads.fetch_add(1, Ordering::Relaxed);
///         self.store.load(id).await
///     }
///
///     async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
///         self.store.insert(id, record, lifetime).await
///     }
///
///     async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
///         self.store.update(id, patch, lifetime).await
///     }
///
///     async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
///         self.store.touch(id, epoch, lifetime).await
///     }
///
///     async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
///         self.store.destroy(id, epoch).await
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session store",
    label = "this is not a store",
    note = "use `MemoryStore::new()`, another store of this crate, or implement `SessionStore` for `{Self}`",
    note = "a configuration owns its store: share one as an `Arc`, choose one at run time as an `AnyStore`"
)]
pub trait SessionStore: Send + Sync + 'static {
    /// The record, or the tombstone, of a session that has not expired. Never writes. Ages and time left are by the store's
    /// clock.
    ///
    /// # Errors
    /// The store failed, or holds a record that it cannot read
    /// ([`StoreErrorKind::Corrupt`](crate::error::StoreErrorKind::Corrupt)).
    fn load(&self, id: &SessionId) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// Promises that every call answers at its first poll. It is then polled on the stack instead of being boxed. A call that
    /// waits all the same is abandoned, with an event `session.store.waited`.
    fn is_instant(&self) -> bool {
        false
    }

    /// Whether [`touch`](Self::touch) is worth calling. In a store that answers `false`, only writes extend the life of a
    /// session. Asked once, when the configuration is built.
    fn can_touch(&self) -> bool {
        true
    }

    /// Stores a new session. Never overwrites: neither a live record nor a tombstone. The record's ages and time left are
    /// ignored. It is new, and lives as long as the lifetime says.
    ///
    /// # Errors
    /// The store failed, or has no room ([`StoreErrorKind::Full`](crate::error::StoreErrorKind::Full)).
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::*, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
    /// let lifetime = Lifetime::new(day, 30 * day);
    /// assert_eq!(store.insert(&id, &record, lifetime).await?, Inserted::Inserted);
    /// assert_eq!(store.insert(&id, &record, lifetime).await?, Inserted::Taken);
    /// assert!(store.load(&id).await?.is_some_and(|record| record.expires_in <= day));
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "create")]
    fn insert(
        &self,
        id: &SessionId,
        record: &Record,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Inserted, StoreError>> + Send;

    /// Applies a patch to a record of the patch's epoch, as [`Patch::apply_to`] does, and extends its life. It never creates, and
    /// does all or nothing.
    ///
    /// A store never merges. If a [conditional](crate::record::Change::conditional) change does not find its base, the answer
    /// is [`Updated::Conflict`]. The middleware then merges, and calls again with a [rebased](Patch::rebase) patch.
    ///
    /// # Errors
    /// The store failed, or has no room.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::*, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime::new(day, 30 * day);
    /// # let _ = store.insert(&id, &record, lifetime).await?;
    /// static VIEWS: Field = Field::new("views");
    /// let mut patch = Patch::unchanged(&record);
    /// patch.set(&VIEWS, Some(b"1"));
    /// assert_eq!(store.update(&id, &patch, lifetime).await?, Updated::Applied { renewed: true });
    ///
    /// let _ = store.destroy(&id, None).await?;
    /// assert_eq!(store.update(&id, &patch, lifetime).await?, Updated::Superseded);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    fn update(
        &self,
        id: &SessionId,
        patch: &Patch,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Updated, StoreError>> + Send;

    /// Extends the life of a record of that epoch. Writes no data.
    ///
    /// # Errors
    /// The store failed.
    fn touch(
        &self,
        id: &SessionId,
        epoch: Epoch,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Touched, StoreError>> + Send;

    /// Replaces the record by its tombstone. With an epoch, only if the record is in that epoch.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::*, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
    /// # let _ = store.insert(&id, &record, Lifetime::new(day, 30 * day)).await?;
    /// assert_eq!(store.destroy(&id, Some(record.epoch)).await?, Destroyed::Destroyed);
    /// assert!(store.load(&id).await?.is_some_and(|record| record.is_tombstone()));
    /// assert_eq!(store.destroy(&id, None).await?, Destroyed::Missing);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "delete")]
    fn destroy(
        &self,
        id: &SessionId,
        epoch: Option<Epoch>,
    ) -> impl Future<Output = Result<Destroyed, StoreError>> + Send;
}

/// A store that keeps records of the express format too: with raw ids as keys, and shared with Node if need be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not speak the express format",
    label = "`SessionConfig::express()` needs a store that keeps express sessions",
    note = "use `MemoryStore`, or `SessionConfig::builder()` for the native format"
)]
pub trait ExpressFormat: SessionStore {}
