//! The index of sessions by identity (R28): a capability of a store, and the mark that a configuration uses it.

use crate::SessionStore;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::error::StoreError;
use crate::id::SessionId;
use crate::record::RawJson;

/// Which of the times this is that all sessions of an identity were ended (R28). A random number, not a count: what matters is
/// whether it has changed.
///
/// ```
/// use http_session_store::Generation;
///
/// assert_ne!(Generation(7), Generation::NONE);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Generation(pub u64);

impl Generation {
    /// Of an identity whose sessions were never ended together, or not for a [long time](GENERATION_LIFETIME).
    ///
    /// ```
    /// # use http_session_store::Generation;
    /// assert_eq!(Generation::NONE, Generation::default());
    /// ```
    pub const NONE: Self = Self(0);
}

/// How long a store keeps a generation at least: a day. A ticket of `http_session` is void long before.
///
/// ```
/// assert_eq!(http_session_store::GENERATION_LIFETIME.as_secs(), 24 * 3600);
/// ```
pub const GENERATION_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How long an entry of the index stays although its record does not say so yet: an hour. A sign-in is between the two writes.
///
/// ```
/// assert_eq!(http_session_store::LINK_GRACE.as_secs(), 3600);
/// ```
pub const LINK_GRACE: Duration = Duration::from_secs(3600);

/// A store that finds sessions by their identity (R28): "log out everywhere", a page of one's devices.
///
/// An identity is its raw JSON, compared byte by byte. There are two kinds of stores:
///
/// - One that can look for records by their [identity](crate::record::Record::identity) (a database with a column for it,
///   [`MemoryStore`](crate::MemoryStore)) has its index in the records. It leaves [`link`](Self::link) and
///   [`unlink`](Self::unlink) as they are.
/// - One that finds records by their key alone keeps a list beside them. A sign-in calls [`link`](Self::link) before it writes the
///   record, so the list may name too many, never too few; whoever reads the list looks into the records.
///
/// Used by a configuration after [`Builder::indexed`](crate::config::Builder::indexed).
///
/// ```
/// # use http_session_store::{MemoryStore, SessionId, record::*, *};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
/// # let day = std::time::Duration::from_secs(24 * 3600);
/// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
/// let ada = RawJson::new(b"42");
/// let record = Record { identity: Some(ada.clone()), ..Record::new(VerifierHash([7; 32])) };
/// let before = store.link(&ada, &id, lifetime.absolute).await?;
/// let _ = store.insert(&id, &record, lifetime).await?;
/// assert_eq!(store.generation(&ada).await?, before); // nobody has ended all of ada's sessions meanwhile
/// assert_eq!(store.linked(&ada, None, 100).await?, [id]);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot find sessions by their identity",
    label = "this store has no index",
    note = "use a store that implements `IndexSessions`, such as `MemoryStore`; `.indexed()` comes after `.store(..)`"
)]
pub trait IndexSessions: SessionStore {
    /// The identity's generation: what was last given to [`raise_generation`](Self::raise_generation), or
    /// [`Generation::NONE`]. Never older than what an earlier call of any process has seen.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, record::RawJson, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let store = MemoryStore::new();
    /// assert_eq!(store.generation(&RawJson::new(b"42")).await?, Generation::NONE);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    fn generation(&self, identity: &RawJson) -> impl Future<Output = Result<Generation, StoreError>> + Send;

    /// Gives the identity a new generation, and keeps it for [`GENERATION_LIFETIME`] at least. Of two at the same moment either
    /// may stay.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, record::RawJson, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, ada) = (MemoryStore::new(), RawJson::new(b"42"));
    /// store.raise_generation(&ada, Generation(7)).await?;
    /// assert_eq!(store.generation(&ada).await?, Generation(7));
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    fn raise_generation(
        &self,
        identity: &RawJson,
        generation: Generation,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Up to `limit` ids in the store's order, after the given one: all sessions that are of this identity, and perhaps others
    /// that were or that will be. The next page starts after the last; an empty one is the end, so what stands there and is no id
    /// is passed by within a page.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, record::RawJson, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, ada) = (MemoryStore::new(), RawJson::new(b"42"));
    /// let mut page = store.linked(&ada, None, 100).await?;
    /// while let Some(last) = page.last() {
    ///     page = store.linked(&ada, Some(last), 100).await?;
    /// }
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<SessionId>, StoreError>> + Send;

    /// Notes that a record of this id is about to be of this identity, for as long as `lifetime`, and answers the generation, read
    /// before that. Noted again, it begins anew, but never ends sooner than it did: the write that was to follow may fail, or
    /// meet one that gives the record a longer life. Where the records are the index, the generation is all there is to it.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::RawJson, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// let lifetime = std::time::Duration::from_secs(30 * 24 * 3600);
    /// assert_eq!(store.link(&RawJson::new(b"42"), &id, lifetime).await?, Generation::NONE);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    fn link(
        &self,
        identity: &RawJson,
        id: &SessionId,
        lifetime: Duration,
    ) -> impl Future<Output = Result<Generation, StoreError>> + Send {
        let _ = (id, lifetime);
        self.generation(identity)
    }

    /// Forgets what was noted of an id that turned out not to be of this identity, unless that was noted within
    /// [`LINK_GRACE`]: then its sign-in may still be under way.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, SessionId, record::RawJson, *};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
    /// store.unlink(&RawJson::new(b"42"), &id).await?;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    fn unlink(&self, identity: &RawJson, id: &SessionId) -> impl Future<Output = Result<(), StoreError>> + Send {
        let _ = (identity, id);
        async { Ok(()) }
    }
}

/// The store of a configuration whose sign-ins are indexed. `http_session`'s `Builder::indexed` makes it; it derefs to the
/// store.
pub struct Indexed<S>(Arc<S>);

impl<S> Indexed<S> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(store: Arc<S>) -> Self {
        Self(store)
    }
}

impl<S> Deref for Indexed<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S: fmt::Debug> fmt::Debug for Indexed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Indexed").field(&*self.0).finish()
    }
}

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "`HasIndex` is sealed: `Builder::indexed` makes the one store that has it"
    )]
    pub trait Sealed {}
}

impl<S> sealed::Sealed for Indexed<S> {}

/// The store of a configuration that keeps the index up to date: the configuration was built with `indexed()`. A bound for
/// functions that take any such configuration: `S: SessionStore + HasIndex`.
#[diagnostic::on_unimplemented(
    message = "this configuration has no index of sessions by their identity",
    label = "sessions on `{Self}` are found by their cookie alone",
    note = "build it with an index: `.store(..).indexed().build()`, on a store that implements `IndexSessions`"
)]
pub trait HasIndex: sealed::Sealed {}

impl<S: IndexSessions> HasIndex for Indexed<S> {}
