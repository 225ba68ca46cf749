//! The store contract, and the stores.
//!
//! A store keeps [`Row`]s under [`SessionId`]s. It decides nothing about sessions: who may read a row, what expires, what a
//! request changes is decided by this crate and handed over as one call. What a store must hold is small, and hard:
//!
//! - [`insert`](SessionStore::insert) never overwrites, [`update`](SessionStore::update) never creates (R8);
//! - an update is all or nothing, and conditional on the epoch that was loaded (R4, R9);
//! - a destroyed session leaves a [tombstone](Row::tombstone) for [a minute](crate::record::TOMBSTONE_LIFETIME) (R6);
//! - time is the store's own clock: calls pass durations, rows come with ages (R7).

use std::future::Future;
use std::sync::Arc;

use crate::error::StoreError;
use crate::id::SessionId;
use crate::record::{Epoch, Lifetime, Patch, Row};

mod erased;
#[cfg(feature = "memory")]
mod memory;

pub use erased::AnyStore;
pub(crate) use erased::{ErasedStore, Visit};
#[cfg(feature = "memory")]
pub use memory::MemoryStore;

/// Answer to [`SessionStore::insert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Inserted {
    /// The row is stored.
    Inserted,
    /// There is a row of that id, or a tombstone; it was left alone.
    Taken,
}

/// Answer to [`SessionStore::update`].
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
    /// The row is in another epoch, or destroyed; nothing was written.
    Superseded,
    /// A field whose merge rule needs the loaded value has another one, and the store cannot merge by itself, or the rule
    /// refuses; nothing was written. The row as it is now.
    Conflict(Box<Row>),
}

/// Answer to [`SessionStore::touch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Touched {
    /// The session lives on.
    Applied,
    /// There is no such session.
    Missing,
    /// The row is in another epoch, or destroyed.
    Superseded,
}

/// Answer to [`SessionStore::destroy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Destroyed {
    /// The session is gone, and its tombstone stands.
    Destroyed,
    /// There was no such session.
    Missing,
    /// The row is in another epoch than the given one; it was left alone.
    Superseded,
}

/// Where sessions are kept.
///
/// Write the methods as `async fn`. Every call is limited in time by the middleware; a call that is dropped half-way must
/// leave all or nothing. A mutation whose answer was lost is [`StoreErrorKind::Unknown`](crate::error::StoreErrorKind::Unknown)
/// and is not retried (R10).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session store",
    label = "this is not a store",
    note = "use `MemoryStore::new()`, another store of this crate, or implement `SessionStore` for `{Self}`"
)]
pub trait SessionStore: Send + Sync + 'static {
    /// The row, or the tombstone, of a session that is not expired. Never writes.
    fn load(&self, id: &SessionId) -> impl Future<Output = Result<Option<Row>, StoreError>> + Send;

    /// Promises that every call answers at its first poll: it is then polled on the stack instead of being boxed.
    fn is_instant(&self) -> bool {
        false
    }

    /// Whether [`touch`](Self::touch) is worth calling. A store that answers `false` keeps sessions from write to write.
    fn can_touch(&self) -> bool {
        true
    }

    /// Stores a new session. Never overwrites: not a live row, not a tombstone.
    fn insert(
        &self,
        id: &SessionId,
        row: &Row,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Inserted, StoreError>> + Send;

    /// Applies a patch to a row of the patch's epoch, as [`Patch::apply_to`] does, and extends its life. Never creates.
    fn update(
        &self,
        id: &SessionId,
        patch: &Patch,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Updated, StoreError>> + Send;

    /// Extends the life of a row of that epoch. Writes no data.
    fn touch(
        &self,
        id: &SessionId,
        epoch: Epoch,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Touched, StoreError>> + Send;

    /// Replaces the row by its tombstone; with an epoch only when the row is in it.
    fn destroy(
        &self,
        id: &SessionId,
        epoch: Option<Epoch>,
    ) -> impl Future<Output = Result<Destroyed, StoreError>> + Send;
}

#[diagnostic::do_not_recommend]
impl<S: SessionStore> SessionStore for Arc<S> {
    fn load(&self, id: &SessionId) -> impl Future<Output = Result<Option<Row>, StoreError>> + Send {
        S::load(self, id)
    }

    fn is_instant(&self) -> bool {
        S::is_instant(self)
    }

    fn can_touch(&self) -> bool {
        S::can_touch(self)
    }

    fn insert(
        &self,
        id: &SessionId,
        row: &Row,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Inserted, StoreError>> + Send {
        S::insert(self, id, row, lifetime)
    }

    fn update(
        &self,
        id: &SessionId,
        patch: &Patch,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Updated, StoreError>> + Send {
        S::update(self, id, patch, lifetime)
    }

    fn touch(
        &self,
        id: &SessionId,
        epoch: Epoch,
        lifetime: Lifetime,
    ) -> impl Future<Output = Result<Touched, StoreError>> + Send {
        S::touch(self, id, epoch, lifetime)
    }

    fn destroy(
        &self,
        id: &SessionId,
        epoch: Option<Epoch>,
    ) -> impl Future<Output = Result<Destroyed, StoreError>> + Send {
        S::destroy(self, id, epoch)
    }
}

/// A store whose [`update`](SessionStore::update) really is conditional: epoch, merge rules and all or nothing.
///
/// Implementing it is a promise. A session type with an identity or with merge rules is not accepted on a store without it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot commit conditionally, which an identity field or a merge rule needs",
    label = "this store only overwrites",
    note = "use a store that implements `ConditionalCommit`, such as `MemoryStore`, or remove `identity` and `merge` from the session's fields"
)]
pub trait ConditionalCommit: SessionStore {}

#[diagnostic::do_not_recommend]
impl<S: ConditionalCommit> ConditionalCommit for Arc<S> {}

/// A store that keeps rows of the express format too: raw ids as keys, a life that Node may share.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not speak the express format",
    label = "`SessionConfig::express()` needs a store that keeps express sessions",
    note = "use `MemoryStore`, or `SessionConfig::builder()` for the native format"
)]
pub trait ExpressFormat: SessionStore {}

#[diagnostic::do_not_recommend]
impl<S: ExpressFormat> ExpressFormat for Arc<S> {}

/// A store that can name all its sessions: express-session's optional `length`, `all` and `clear`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot enumerate its sessions",
    note = "use a store that implements `EnumerateSessions`, such as `MemoryStore`"
)]
pub trait EnumerateSessions: SessionStore {
    /// The number of live sessions, without tombstones.
    fn len(&self) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// Up to `limit` ids of live sessions in the store's order, after the given one. The next page starts after the last.
    fn ids(
        &self,
        after: Option<&SessionId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<SessionId>, StoreError>> + Send;

    /// Destroys every session.
    fn clear(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}
