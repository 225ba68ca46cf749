//! What a store answers to a write.

use crate::record::Record;

/// Answer to [`SessionStore::insert`](crate::SessionStore::insert). A caller must handle each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the middleware must handle each case")]
#[must_use]
pub enum Inserted {
    /// The record is stored.
    Inserted,
    /// There is a record or a tombstone of that id. It was left alone.
    Taken,
}

/// Answer to [`SessionStore::update`](crate::SessionStore::update). A caller must handle each case.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the middleware must handle each case")]
#[must_use]
pub enum Updated {
    /// All of the patch happened, except a renewal that lost (`renewed: false`).
    Applied {
        /// Whether a [renewal](crate::record::VerifierChange::Renew) took place; `true` if the patch has no renewal.
        renewed: bool,
    },
    /// There is no such session. Nothing was created.
    Missing,
    /// The record is in another epoch, or destroyed. Nothing was written.
    Superseded,
    /// A [conditional](crate::record::Change::conditional) change does not find the value that was loaded, or the fields would
    /// exceed the patch's [limit](crate::record::Patch::limit). Nothing was written. With the record as it is now.
    Conflict(Box<Record>),
}

/// Answer to [`SessionStore::touch`](crate::SessionStore::touch). A caller must handle each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the middleware must handle each case")]
#[must_use]
pub enum Touched {
    /// The life of the session was extended.
    Applied,
    /// There is no such session.
    Missing,
    /// The record is in another epoch, or destroyed.
    Superseded,
}

/// Answer to [`SessionStore::destroy`](crate::SessionStore::destroy). A caller must handle each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the middleware must handle each case")]
#[must_use]
pub enum Destroyed {
    /// The session is gone, and its tombstone is stored.
    Destroyed,
    /// There was no such session.
    Missing,
    /// The record is in another epoch than the given one. It was left alone.
    Superseded,
}
