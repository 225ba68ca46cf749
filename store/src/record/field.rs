//! One field: what the derive knows of it, and its mark in a record.

use std::fmt;

use crate::error::MergeConflict;

/// Whether a field outlives a change of identity. This is the attribute `keep` of a session's field. It is stored with the field,
/// so that a sign-out through another view of the session clears the same fields. A store must handle each case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a store must handle each case")]
pub enum Keep {
    /// Cleared at every change of identity, except what a request has changed before it signs an anonymous visitor in.
    #[default]
    No,
    /// `keep = "sign_in"`: stays when an anonymous visitor signs in, and is cleared at a sign-out or a change of user.
    SignIn,
    /// `keep`: outlives every change of identity.
    Always,
}

impl Keep {
    /// One byte, as a record stores it. [`from_byte`](Self::from_byte) reads it.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::No => 0,
            Self::SignIn => 1,
            Self::Always => 2,
        }
    }

    /// The mark of a stored byte. An unknown byte counts as the strictest mark, [`No`](Self::No).
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::SignIn,
            2 => Self::Always,
            _ => Self::No,
        }
    }
}

/// Which of the record's fields a patch clears before it writes. A later case clears more. A store must handle each case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a store must handle each case")]
pub enum Clear {
    /// No field.
    #[default]
    Nothing,
    /// All fields except those marked `keep` or `keep = "sign_in"`: an anonymous visitor signed in.
    SignIn,
    /// All fields except those marked `keep`: a sign-out, or another identity.
    Identity,
}

impl Clear {
    /// Whether a field with this mark stays.
    ///
    /// ```
    /// # use http_session_store::record::{Clear, Keep};
    /// assert!(Clear::SignIn.keeps(Keep::SignIn));
    /// assert!(!Clear::Identity.keeps(Keep::SignIn));
    /// ```
    #[must_use]
    pub const fn keeps(self, mark: Keep) -> bool {
        match self {
            Self::Nothing => true,
            Self::SignIn => matches!(mark, Keep::SignIn | Keep::Always),
            Self::Identity => matches!(mark, Keep::Always),
        }
    }
}

/// Joins a field that two requests changed. The arguments are the value that was loaded, the one that the other request has
/// stored, and the new one, as raw JSON; an absent value is empty. The derive makes one function of each merge rule.
///
/// # Errors
/// The rule refuses to join the two changes.
///
/// ```
/// use http_session_store::error::MergeConflict;
/// use http_session_store::record::{Field, MergeFn};
///
/// fn theirs_wins(_base: &[u8], theirs: &[u8], _ours: &[u8]) -> Result<Vec<u8>, MergeConflict> {
///     Ok(theirs.to_vec())
/// }
///
/// static STATE: Field = Field::new("state").merge(theirs_wins);
/// ```
pub type MergeFn = fn(base: &[u8], theirs: &[u8], ours: &[u8]) -> Result<Vec<u8>, MergeConflict>;

/// What the derive knows of a field, made at compile time.
///
/// A test of a store makes its own:
///
/// ```
/// # use http_session_store::record::{Field, Keep};
/// static CART: Field = Field::new("cart").aliases(&["basket"]).keep(Keep::SignIn);
/// assert!(CART.owns("basket"));
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Field {
    /// The name in the record.
    pub name: &'static str,
    /// Older names: read if the name itself is absent, removed when the field is written.
    pub aliases: &'static [&'static str],
    /// Whether it outlives a change of identity.
    pub keep: Keep,
    /// Whether a view of the session cannot do without a readable value of it.
    pub required: bool,
    /// How concurrent changes are joined. With `None` the later write replaces the earlier one.
    pub merge: Option<MergeFn>,
}

impl Field {
    /// A field that is replaced on conflict, cleared at a change of identity, and may be missing.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, aliases: &[], keep: Keep::No, required: false, merge: None }
    }

    /// With older names.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// With a mark for changes of identity.
    #[must_use]
    pub const fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Always stored: a view of the session cannot do without it.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// With a merge function.
    #[must_use]
    pub const fn merge(mut self, merge: MergeFn) -> Self {
        self.merge = Some(merge);
        self
    }

    /// Whether a stored name is this field's name, or an older name of it.
    #[must_use]
    pub fn owns(&self, name: &str) -> bool {
        self.owns_bytes(name.as_bytes())
    }

    /// For the middleware, which compares names in a block before it knows that they are UTF-8.
    #[doc(hidden)]
    #[must_use]
    pub fn owns_bytes(&self, name: &[u8]) -> bool {
        self.name.as_bytes() == name || self.aliases.iter().any(|alias| alias.as_bytes() == name)
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field")
            .field("name", &self.name)
            .field("aliases", &self.aliases)
            .field("keep", &self.keep)
            .field("required", &self.required)
            .field("merges", &self.merge.is_some())
            .finish()
    }
}
