//! The index of sessions by identity: a capability of a store, and the mark that a configuration uses it.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::error::StoreError;
use crate::id::SessionId;
use crate::record::RawJson;
use crate::session_store::SessionStore;

/// Identifies the last time that all sessions of an identity were ended together. A random number, not a count: what matters
/// is whether it has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number, which a store keeps in a column")]
pub struct Generation(pub u64);

impl Generation {
    /// For an identity whose sessions were never ended together, or not for a [long time](GENERATION_LIFETIME).
    pub const NONE: Self = Self(0);
}

/// How long a store keeps a generation at least: a day. Whatever carries a generation, such as a ticket for a sign-in, is void
/// long before.
pub const GENERATION_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How long an entry of the index stays although no record of its id has that identity yet: an hour. A sign-in may be between
/// its two writes.
pub const LINK_GRACE: Duration = Duration::from_secs(3600);

/// A store that finds sessions by their identity, for "log out everywhere" and for a page of a user's devices.
///
/// An identity is its raw JSON, compared byte by byte. There are two kinds of stores:
///
/// - A store that can look for records by their [identity](crate::record::Record::identity) has its index in the records: a
///   database with a column for it, or [`MemoryStore`](crate::MemoryStore). It keeps the provided [`link`](Self::link) and
///   [`unlink`](Self::unlink).
/// - A store that finds records only by their key keeps a list beside them. A sign-in calls [`link`](Self::link) before it
///   writes the record. So the list may name too many sessions, but never too few. Whoever reads the list looks into the
///   records.
///
/// A configuration uses this after `Builder::indexed`.
///
/// ```
/// # use http_session_store::{MemoryStore, SessionId, record::*, *};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
/// # let day = std::time::Duration::from_secs(24 * 3600);
/// # let lifetime = Lifetime::new(day, 30 * day);
/// let ada = RawJson::new(b"42");
/// let mut record = Record::new(VerifierHash([7; 32]));
/// record.identity = Some(ada.clone());
///
/// let before = store.link(&ada, &id, lifetime.absolute).await?;
/// let _ = store.insert(&id, &record, lifetime).await?;
/// assert_eq!(store.generation(&ada).await?, before); // nobody has ended all of ada's sessions meanwhile
/// assert_eq!(store.linked(&ada, None, 100).await?, [id]);
///
/// store.raise_generation(&ada, Generation(7)).await?;
/// assert_eq!(store.generation(&ada).await?, Generation(7));
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
    fn generation(&self, identity: &RawJson) -> impl Future<Output = Result<Generation, StoreError>> + Send;

    /// Gives the identity a new generation, and keeps it for at least [`GENERATION_LIFETIME`]. Of two calls at the same moment,
    /// either generation may stay.
    ///
    /// # Errors
    /// The store failed.
    fn raise_generation(
        &self,
        identity: &RawJson,
        generation: Generation,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Up to `limit` ids in the store's order, after the given one: all sessions of this identity, and perhaps sessions that
    /// were of this identity, or will be. The next page starts after the last id. An empty page is the end, so a store skips
    /// entries that are not ids within the page.
    ///
    /// # Errors
    /// The store failed.
    fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<SessionId>, StoreError>> + Send;

    /// Notes that a record of this id is about to be of this identity, for as long as `lifetime`. Answers the generation, read
    /// before the note.
    ///
    /// A second note restarts the time, but the entry never ends sooner than before: the write that was to follow may fail,
    /// or meet a write that gives the record a longer life. If the records are the index, the generation is all that this
    /// call is about.
    ///
    /// # Errors
    /// The store failed.
    fn link(
        &self,
        identity: &RawJson,
        id: &SessionId,
        lifetime: Duration,
    ) -> impl Future<Output = Result<Generation, StoreError>> + Send {
        let _ = (id, lifetime);
        self.generation(identity)
    }

    /// Forgets the note about an id that turned out not to be of this identity, unless it was made within [`LINK_GRACE`]: then
    /// its sign-in may still be under way.
    ///
    /// # Errors
    /// The store failed.
    fn unlink(&self, identity: &RawJson, id: &SessionId) -> impl Future<Output = Result<(), StoreError>> + Send {
        let _ = (identity, id);
        async { Ok(()) }
    }
}

/// The store of a configuration whose sign-ins are indexed. `Builder::indexed` of `http_session` makes it. It derefs to the
/// store.
pub struct Indexed<S>(Arc<S>);

impl<S> Indexed<S> {
    /// Hidden: only a configuration that keeps the index up to date may claim to have it.
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
    #[expect(unnameable_types, reason = "nobody else may implement it")]
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
