//! What can go wrong. Messages are lower case and never hold a secret, a session id, a field's value or a driver's message
//! (R26).

use std::error::Error as StdError;
use std::fmt;

/// Makes an error that says which rule was broken, and nothing of the value that broke it.
macro_rules! rule_error {
    ($(#[$doc:meta])* $name:ident, $message:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub struct $name(());

        impl $name {
            pub(crate) const fn new() -> Self {
                Self(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($message)
            }
        }

        impl StdError for $name {}
    };
}
pub(crate) use rule_error;

rule_error!(
    /// A text that cannot be a session id.
    InvalidSessionId,
    "a session id has 1 to 1024 bytes"
);
rule_error!(
    /// Bytes that are no block of fields ([`Fields::from_bytes`](crate::record::Fields::from_bytes)).
    InvalidFields,
    "the stored fields are cut off or malformed"
);
rule_error!(
    /// A merge rule that refuses to join two changes, as `merge = "reject"` always does.
    MergeConflict,
    "another request changed the same field"
);

impl MergeConflict {
    /// Refuses to join two changes: the commit fails as a whole, and the response is a 409.
    #[must_use]
    pub const fn refuse() -> Self {
        Self::new()
    }
}

/// What is wrong with a store, or with a call to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// A row that this store cannot read.
    Corrupt,
    /// No room that the session may take (R14).
    Full,
    /// The call was refused for another reason; nothing was written.
    Refused,
    /// The store did not take the call; nothing was written.
    Unavailable,
    /// The answer was lost: the write may have happened or not (R10). Never retried blindly.
    Unknown,
}

/// A failed call to a store.
///
/// `Display` tells the kind alone: a driver's message may hold a URL with a password (R26). The driver's error is the
/// [`source`](StdError::source), for code that knows what it logs.
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl StoreError {
    /// An error of a kind.
    #[cold]
    #[must_use]
    pub const fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// With the driver's error.
    #[cold]
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreError").field(&self.kind).finish()
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Corrupt => "the session store holds a row that it cannot read",
            StoreErrorKind::Full => "the session store is full",
            StoreErrorKind::Refused => "the session store refused the call",
            StoreErrorKind::Unavailable => "the session store is unavailable",
            StoreErrorKind::Unknown => "the session store did not say whether the write happened",
        })
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| -> &(dyn StdError + 'static) { source.as_ref() })
    }
}
