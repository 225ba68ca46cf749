//! The parts of a patch.

use std::fmt;

use super::field::Field;
use super::raw::RawJson;
use super::verifier::VerifierHash;

/// What a patch does to the identity. A store must handle each case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store must handle each case")]
pub enum IdentityChange {
    /// Nothing.
    #[default]
    Unchanged,
    /// The same identity signed in again: its age starts afresh, its value and epoch stay.
    Affirmed,
    /// Another identity, or the first one.
    Set(RawJson),
    /// Signed out.
    Removed,
}

/// What a patch does to the verifier. A store must handle each case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store must handle each case")]
pub enum VerifierChange {
    /// Nothing.
    #[default]
    Unchanged,
    /// A new verifier. The epoch is raised; the old verifier and the one before it are void.
    Rotate(VerifierHash),
    /// Periodic renewal: `new` replaces `current`, which stays valid as the previous one, and the epoch stays. If the record's
    /// verifier is no longer `current`, only this part of the patch does not happen.
    Renew {
        /// The verifier that was presented.
        current: VerifierHash,
        /// Its successor.
        new: VerifierHash,
    },
}

/// What happens if a field that the patch writes was changed meanwhile. A store need not look at it:
/// [`Change::conditional`] says what it means for each field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the middleware must handle each case")]
pub enum OnConflict {
    /// The field's merge rule decides; without a rule, the patch's value replaces the other.
    #[default]
    Merge,
    /// The patch is refused: it is a gate, such as a nonce that may be taken once.
    Refuse,
}

/// One changed field of a patch.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Change<'a> {
    /// The field.
    pub field: &'static Field,
    /// Its raw value as loaded.
    pub base: Option<&'a [u8]>,
    /// Its raw value from now on; `None` removes it.
    pub value: Option<&'a [u8]>,
    /// Whether the write depends on the store still having `base`: the field has a merge rule, the patch is a gate, or the
    /// field is required and was absent.
    pub conditional: bool,
}

/// Shows no values.
impl fmt::Debug for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("field", &self.field.name)
            .field("was_stored", &self.base.is_some())
            .field("is_stored", &self.value.is_some())
            .field("conditional", &self.conditional)
            .finish()
    }
}
