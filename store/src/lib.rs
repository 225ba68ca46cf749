//! The store contract, and the stores.
//!
//! A store keeps [`Record`]s under [`SessionId`]s. It decides nothing about sessions: who may read a record, what expires, what a
//! request changes is decided by this crate and handed over as one call. What a store must hold is small, and hard:
//!
//! - [`insert`](SessionStore::insert) never overwrites, [`update`](SessionStore::update) never creates (R8);
//! - an update is all or nothing, and conditional on the epoch that was loaded (R4, R9);
//! - a destroyed session leaves a [tombstone](Record::tombstone) for [a minute](crate::record::TOMBSTONE_LIFETIME) (R6);
//! - time is the store's own clock: calls pass durations, records come with ages (R7).

use std::future::Future;

use crate::error::StoreError;
use crate::record::{Epoch, Lifetime, Patch, Record};

pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod entry;
pub mod error;
mod exclusive;
mod id;
mod index;
#[cfg(feature = "memory")]
mod memory;
mod page;
mod pointer;
pub mod record;
mod sweep;
mod sync;
pub mod text;

pub use entry::{Entry, Moments};
pub use exclusive::{Blobs, Exclusive};
#[doc(hidden)]
pub use id::SELECTOR_BYTES;
pub use id::SessionId;
pub use index::{GENERATION_LIFETIME, Generation, HasIndex, IndexSessions, Indexed, LINK_GRACE};
#[cfg(feature = "memory")]
pub use memory::{MemoryStore, MemoryUsage};
pub use page::{Cursor, Ids, Page};
pub use sweep::Sweep;

/// Answer to [`SessionStore::insert`].
///
/// ```
/// # use http_session_store::{MemoryStore, SessionId, record::*, *};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
/// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
/// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
/// assert_eq!(store.insert(&id, &record, lifetime).await?, Inserted::Inserted);
/// assert_eq!(store.insert(&id, &record, lifetime).await?, Inserted::Taken);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Inserted {
    /// The record is stored.
    Inserted,
    /// There is a record of that id, or a tombstone; it was left alone.
    Taken,
}

/// Answer to [`SessionStore::update`].
///
/// ```
/// # use http_session_store::{MemoryStore, SessionId, record::*, *};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
/// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
/// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
/// # let _ = store.insert(&id, &record, lifetime).await?;
/// let late = Patch::unchanged(&record);
/// let _ = store.destroy(&id, None).await?;
/// assert_eq!(store.update(&id, &late, lifetime).await?, Updated::Superseded);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Updated {
    /// All of the patch happened, except a renewal that lost (`renewed: false`).
    Applied {
        /// Whether a [renewal](crate::record::VerifierChange::Renew) took place; `true` when none was asked for.
        renewed: bool,
    },
    /// There is no such session; nothing was created.
    Missing,
    /// The record is in another epoch, or destroyed; nothing was written.
    Superseded,
    /// A [conditional](crate::record::Change::conditional) change does not find the value that was loaded, or the fields would
    /// grow over the patch's [limit](Patch::limit). Nothing was written. The record as it is now.
    Conflict(Box<Record>),
}

/// Answer to [`SessionStore::touch`].
///
/// ```
/// # use http_session_store::{MemoryStore, SessionId, record::*, *};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
/// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
/// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
/// # let _ = store.insert(&id, &record, lifetime).await?;
/// assert_eq!(store.touch(&id, record.epoch.next(), lifetime).await?, Touched::Superseded);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Touched {
    /// The session lives on.
    Applied,
    /// There is no such session.
    Missing,
    /// The record is in another epoch, or destroyed.
    Superseded,
}

/// Answer to [`SessionStore::destroy`].
///
/// ```
/// # use http_session_store::{MemoryStore, SessionId, record::*, *};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
/// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
/// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
/// assert_eq!(store.destroy(&id, None).await?, Destroyed::Missing);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Destroyed {
    /// The session is gone, and its tombstone stands.
    Destroyed,
    /// There was no such session.
    Missing,
    /// The record is in another epoch than the given one; it was left alone.
    Superseded,
}

/// Where sessions are kept.
///
/// Write the methods as `async fn`. Every call is limited in time by the middleware; a call that is dropped half-way must
/// leave all or nothing. A mutation whose answer was lost is [`StoreErrorKind::Unknown`](crate::error::StoreErrorKind::Unknown)
/// and is not retried (R10).
///
/// A destroyed record leaves a [tombstone](Record::tombstone), which `load` gives too, `insert` does not overwrite, and every
/// other call answers with `Superseded` or `Missing`. `MemoryStore` is the reference. A store that keeps whole records is a few
/// lines over [`Entry`]; [a suite](crate::guide::store_authors) tells whether yours keeps all of this. A store in front of
/// another one:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use http_session_store::SessionId;
/// use http_session_store::error::StoreError;
/// use http_session_store::record::{Epoch, Lifetime, Patch, Record};
/// use http_session_store::{Destroyed, Inserted, SessionStore, Touched, Updated};
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
    /// The record, or the tombstone, of a session that is not expired. Never writes. Ages and time left are by the store's clock
    /// (R7).
    ///
    /// # Errors
    /// The store failed, or holds a record that it cannot read
    /// ([`StoreErrorKind::Corrupt`](crate::error::StoreErrorKind::Corrupt)).
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::*, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let _ = store.insert(&id, &record, lifetime).await?;
    /// assert!(store.load(&id).await?.is_some_and(|record| record.expires_in <= day));
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    fn load(&self, id: &SessionId) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// Promises that every call answers at its first poll: it is then polled on the stack instead of being boxed. A call that
    /// waits all the same is given up, with an event `session.store.waited`.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionStore};
    /// assert!(MemoryStore::new().is_instant());
    /// ```
    fn is_instant(&self) -> bool {
        false
    }

    /// Whether [`touch`](Self::touch) is worth calling. A store that answers `false` keeps sessions from write to write. Asked
    /// once, when the configuration is built.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionStore};
    /// assert!(MemoryStore::new().can_touch());
    /// ```
    fn can_touch(&self) -> bool {
        true
    }

    /// Stores a new session (R8). Never overwrites: not a live record, not a tombstone. The record's ages and time left are ignored:
    /// it is new, and lives as long as the lifetime says.
    ///
    /// # Errors
    /// The store failed, or has no room ([`StoreErrorKind::Full`](crate::error::StoreErrorKind::Full), R14).
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::*, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// assert_eq!(store.insert(&id, &record, lifetime).await?, Inserted::Inserted);
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

    /// Applies a patch to a record of the patch's epoch, as [`Patch::apply_to`] does, and extends its life. Never creates
    /// (R8), and all or nothing (R9). A store never merges: where a [conditional](crate::record::Change::conditional) change
    /// does not find its base, it answers [`Updated::Conflict`]. The middleware then merges, and asks again with a
    /// [rebased](Patch::rebase) patch.
    ///
    /// # Errors
    /// The store failed, or has no room.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::*, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let _ = store.insert(&id, &record, lifetime).await?;
    /// static VIEWS: Field = Field::new("views");
    /// let mut patch = Patch::unchanged(&record);
    /// patch.result = Fields::from_iter([("views", Keep::No, b"1".as_slice())]);
    /// patch.touched.push(&VIEWS);
    /// assert_eq!(store.update(&id, &patch, lifetime).await?, Updated::Applied { renewed: true });
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    fn update(
        &self,
        id: &SessionId,
        patch: &Patch,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Updated, StoreError>> + Send;

    /// Extends the life of a record of that epoch (R7). Writes no data.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::*, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let _ = store.insert(&id, &record, lifetime).await?;
    /// assert_eq!(store.touch(&id, record.epoch, lifetime).await?, Touched::Applied);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    fn touch(
        &self,
        id: &SessionId,
        epoch: Epoch,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Touched, StoreError>> + Send;

    /// Replaces the record by its tombstone (R6, R8); with an epoch only when the record is in it.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::*, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let _ = store.insert(&id, &record, lifetime).await?;
    /// assert_eq!(store.destroy(&id, Some(record.epoch)).await?, Destroyed::Destroyed);
    /// assert!(store.load(&id).await?.is_some_and(|record| record.is_tombstone()));
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

/// A store that keeps records of the express format too: raw ids as keys, a life that Node may share.
///
/// ```
/// # use http_session_store::MemoryStore;
/// use http_session_store::ExpressFormat;
///
/// fn speaks_express<S: ExpressFormat>(_: &S) {}
/// speaks_express(&MemoryStore::new());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not speak the express format",
    label = "`SessionConfig::express()` needs a store that keeps express sessions",
    note = "use `MemoryStore`, or `SessionConfig::builder()` for the native format"
)]
pub trait ExpressFormat: SessionStore {}

/// A store that can name all its sessions: express-session's optional `length`, `all` and `clear`.
///
/// ```
/// # use http_session_store::{MemoryStore, SessionId, record::*, *};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
/// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
/// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
/// # let _ = store.insert(&id, &record, lifetime).await?;
/// assert_eq!(store.len().await?, 1);
/// assert_eq!(store.ids(None, 100).await?.ids, [id]);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot enumerate its sessions",
    label = "this store does not know which sessions it has",
    note = "use a store that implements `EnumerateSessions`, such as `MemoryStore`"
)]
#[expect(clippy::len_without_is_empty, reason = "express-session's `length`; an answer from afar is no container")]
pub trait EnumerateSessions: SessionStore {
    /// The number of live sessions, without tombstones; about as many where the storage changes meanwhile. express:
    /// `store.length`.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::*, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let _ = store.insert(&id, &record, lifetime).await?;
    /// assert_eq!(store.len().await?, 1);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "length")]
    fn len(&self) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// About `limit` ids of live sessions, from a page's [`next`](Page::next) on or from the beginning; [`Ids`] walks through
    /// all of them. A session that lives from the first page to the last is named, perhaps twice where the storage is
    /// reorganised meanwhile; one that comes or goes in between may be. express: `store.all`, which gives the sessions
    /// themselves.
    ///
    /// # Errors
    /// The store failed, or the cursor is not one of its own.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::*, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let _ = store.insert(&id, &record, lifetime).await?;
    /// let mut page = store.ids(None, 100).await?;
    /// while let Some(next) = page.next {
    ///     page = store.ids(Some(&next), 100).await?;
    /// }
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "all")]
    fn ids(&self, from: Option<&Cursor>, limit: usize) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Destroys every session. express: `store.clear`.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::*, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
    /// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
    /// # let _ = store.insert(&id, &record, lifetime).await?;
    /// store.clear().await?;
    /// assert_eq!(store.len().await?, 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    fn clear(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}
