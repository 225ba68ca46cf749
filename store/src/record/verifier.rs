//! The secret in the cookie, as a record knows it.

use std::fmt;

/// Counts the changes of a session's verifier. A write that was computed for another epoch is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number, which a store keeps in a column")]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch after this one. After the largest number comes zero.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// SHA-256 of a session's verifier, the secret in the cookie. A store keeps the 32 bytes as they are. In the express format all
/// records have the same hash.
///
/// `Debug` shows nothing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "32 bytes, which a store keeps in a column")]
pub struct VerifierHash(pub [u8; 32]);

impl VerifierHash {
    /// No verifier has this hash: it marks a destroyed session.
    pub const NONE: Self = Self([0; 32]);
}

impl fmt::Debug for VerifierHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifierHash(..)")
    }
}
