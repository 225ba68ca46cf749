//! What a store keeps of a session, and the change that a request makes to it.
//!
//! A [`Record`] is the session as stored. A [`Patch`] is one request's change, applied as a whole or not at all. Field values
//! are raw JSON: a store never looks inside them, and fields that this program does not know survive.

mod change;
mod field;
mod fields;
mod lifetime;
mod patch;
mod raw;
mod stored;
mod verifier;

pub use change::{Change, IdentityChange, OnConflict, VerifierChange};
pub use field::{Clear, Field, Keep, MergeFn};
// How the middleware reads and rewrites a block of fields without an allocation for each. Not for stores.
#[doc(hidden)]
pub use fields::{FieldCursor, RawField, RawFields};
pub use fields::{Fields, FieldsWriter, StoredField};
pub use lifetime::{Ages, Extent, Lifetime, TOMBSTONE_LIFETIME};
pub use patch::Patch;
pub use raw::RawJson;
pub use stored::Record;
pub use verifier::{Epoch, VerifierHash};
