//! What can go wrong with a store. No message holds a secret, a session id, a field's value, a URL or a driver's message.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// Makes an error that says which rule was broken, and nothing of the value that broke it. Hidden: `http-session` makes its own
/// errors with it too.
#[doc(hidden)]
#[macro_export]
macro_rules! rule_error {
    ($(#[$doc:meta])* $name:ident, $message:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub struct $name(());

        impl $name {
            const MESSAGE: &'static str = $message;

            pub(crate) const fn new() -> Self {
                Self(())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(Self::MESSAGE)
            }
        }

        impl std::error::Error for $name {}
    };
}

rule_error!(
    /// A text that cannot be a session id. Returned by `SessionId::try_from`.
    InvalidSessionId,
    "a session id has 1 to 1024 bytes"
);
rule_error!(
    /// Bytes that are not a block of fields. Returned by [`Fields::from_bytes`](crate::record::Fields::from_bytes).
    InvalidFields,
    "the stored fields are cut off or malformed"
);
/// Bytes that are not an [`Entry`](crate::Entry). Returned by [`Entry::from_bytes`](crate::Entry::from_bytes). It converts to a
/// [`StoreError`] of the kind [`Corrupt`](StoreErrorKind::Corrupt), so a store passes it on with `?`.
///
/// ```
/// use http_session_store::Entry;
///
/// let error = Entry::from_bytes(b"cut off").unwrap_err();
/// assert_eq!(error.to_string(), "the stored record is cut off or malformed");
/// assert!(Entry::from_bytes(b"hsr\xff").unwrap_err().is_unknown_version());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidEntry {
    unknown_version: bool,
}

impl InvalidEntry {
    /// The record is cut off or malformed. For a store with an encoding of its own.
    pub const MALFORMED: Self = Self { unknown_version: false };
    pub(crate) const UNKNOWN_VERSION: Self = Self { unknown_version: true };

    /// Whether a later version of this crate wrote it. Then the bytes are as they should be, and must not be removed.
    #[must_use]
    pub const fn is_unknown_version(self) -> bool {
        self.unknown_version
    }
}

impl fmt::Display for InvalidEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.unknown_version {
            "the stored record has a version that this program does not know"
        } else {
            "the stored record is cut off or malformed"
        })
    }
}

impl StdError for InvalidEntry {}

rule_error!(
    /// Two requests changed the same field, and their changes cannot be joined: the merge rule refuses, as `merge = "reject"`
    /// always does, or the patch is a gate. The response is a 409.
    MergeConflict,
    "another request changed the same field"
);

impl MergeConflict {
    /// Refuses to join two changes. The commit fails as a whole, and the response is a 409. For a [`MergeFn`] of your own.
    ///
    /// [`MergeFn`]: crate::record::MergeFn
    ///
    /// ```
    /// use http_session_store::error::MergeConflict;
    ///
    /// fn only_once(base: &[u8], theirs: &[u8], ours: &[u8]) -> Result<Vec<u8>, MergeConflict> {
    ///     if theirs == base { Ok(ours.to_vec()) } else { Err(MergeConflict::refuse()) }
    /// }
    /// ```
    #[must_use]
    pub const fn refuse() -> Self {
        Self::new()
    }
}

/// What is wrong with a store, or with a call to it.
///
/// ```
/// use http_session_store::error::{StoreError, StoreErrorKind};
///
/// fn may_try_again(error: &StoreError) -> bool {
///     // With `Unknown`, the write may have happened.
///     error.kind() == StoreErrorKind::Unavailable
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store holds a record that it cannot read, or a session that does not decode.
    Corrupt,
    /// There is no room that the session may take.
    Full,
    /// The call was refused for another reason. Nothing was written.
    Refused,
    /// The store could not be reached. Nothing was written.
    Unavailable,
    /// The answer was lost: the write may have happened or not. It is never retried blindly.
    Unknown,
}

impl StoreErrorKind {
    /// The kind as one word, for labels of metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Corrupt => "corrupt",
            Self::Full => "full",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }
}

/// A failed call to a store.
///
/// `Display` shows only the kind, because a driver's message may hold a URL with a password. The driver's error is the
/// [`source`](StdError::source), for code that knows what it logs. With the feature `axum` it is a 503 that says the same.
///
/// ```
/// use http_session_store::error::{ConnectError, StoreError, StoreErrorKind};
///
/// let driver = std::io::Error::other("postgres://app:hunter2@db refused the connection");
/// let error = StoreError::new(StoreErrorKind::Unavailable).with_source(driver);
/// assert_eq!(error.to_string(), "the session store is unavailable");
///
/// // Whoever opens a store learns the reason too.
/// let error = ConnectError::from(error.with_reason("there is no such database"));
/// assert_eq!(error.to_string(), "the session store is unavailable: there is no such database");
/// ```
pub struct StoreError {
    kind: StoreErrorKind,
    reason: Option<Cow<'static, str>>,
    source: Option<BoxError>,
}

type BoxError = Box<dyn StdError + Send + Sync>;

impl StoreError {
    /// The [reason](Self::with_reason) if TLS failed. A store says the same whichever driver and library it uses.
    pub const TLS_FAILED: &'static str = "TLS failed: the server does not offer it, or its certificate is not trusted";

    /// An error of a kind, for authors of stores.
    #[cold]
    #[must_use]
    pub const fn new(kind: StoreErrorKind) -> Self {
        Self { kind, reason: None, source: None }
    }

    /// With the driver's error. It is neither logged nor shown to a client.
    #[cold]
    #[must_use]
    pub fn with_source(self, source: impl Into<BoxError>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// With a reason, which a [`ConnectError`] shows to whoever opens the store. It must not hold any of a driver's message.
    #[cold]
    #[must_use]
    pub fn with_reason(self, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// A reason from the system's error behind a driver's, such as "connection refused". It holds nothing of what the driver was
    /// told. `None` if there is no such error, or the system gives it no name.
    #[must_use]
    pub fn system_reason<'a>(driver: &'a (dyn StdError + 'static)) -> Option<Cow<'static, str>> {
        use std::io::{Error, ErrorKind};
        let system = |error: &'a (dyn StdError + 'static)| {
            // The driver for Redis shares its errors.
            let shared = || error.downcast_ref::<Arc<dyn StdError + Send + Sync>>()?.downcast_ref::<Error>();
            error.downcast_ref::<Error>().or_else(shared)
        };
        let error = std::iter::successors(Some(driver), |&error| error.source()).filter_map(system).last()?;
        match error.kind() {
            ErrorKind::InvalidData => Some(Self::TLS_FAILED.into()),
            // The system's resolver has no kind for it.
            _ if error.to_string().starts_with("failed to lookup address") => {
                Some("the host's name is not known".into())
            }
            ErrorKind::Other => None,
            kind => Some(kind.to_string().into()).filter(|text| text != "uncategorized error"),
        }
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
            StoreErrorKind::Corrupt => "the session store holds a record that it cannot read",
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

impl From<InvalidEntry> for StoreError {
    fn from(invalid: InvalidEntry) -> Self {
        Self::new(StoreErrorKind::Corrupt).with_source(invalid)
    }
}

/// Why a store could not be opened, with the reason if it is known.
///
/// It holds neither the URL, which may contain a password, nor a driver's message, which may contain the URL. The driver's error
/// is the [`source`](StdError::source), for code that knows what it prints. `Debug` shows the sentence too, since a `main` that
/// returns the error prints that.
///
/// ```
/// use http_session_store::error::ConnectError;
///
/// let error = ConnectError::InvalidUrl("the path is missing");
/// assert_eq!(error.to_string(), "the URL of the session store is not valid: the path is missing");
/// ```
#[non_exhaustive]
pub enum ConnectError {
    /// No store of this program has a URL of this kind.
    UnknownScheme {
        /// The schemes that this program knows, such as `sqlite:`.
        known: &'static [&'static str],
        /// The crate features that would add others.
        features: &'static [&'static str],
    },
    /// The URL is not valid. Says what is wrong with it.
    InvalidUrl(&'static str),
    /// The options are not valid. Says what is wrong with them.
    InvalidOptions(&'static str),
    /// The database has no table of the store's name and the store may not make one, or the table is a different one. Says what
    /// to do about it.
    Schema(&'static str),
    /// The storage cannot be reached, or refuses.
    Store(StoreError),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownScheme { known, features } => {
                f.write_str("this program has no session store for a URL of this kind; it has")?;
                if known.is_empty() {
                    f.write_str(" none")?;
                }
                for (number, scheme) in known.iter().enumerate() {
                    write!(f, "{} `{scheme}`", if number == 0 { "" } else { "," })?;
                }
                if !features.is_empty() {
                    write!(f, "; others come with the crate features {}", features.join(", "))?;
                }
                Ok(())
            }
            Self::InvalidUrl(why) => write!(f, "the URL of the session store is not valid: {why}"),
            Self::InvalidOptions(why) => write!(f, "the options of the session store are not valid: {why}"),
            Self::Schema(why) => write!(f, "the table of the session store does not fit: {why}"),
            Self::Store(error) => {
                fmt::Display::fmt(error, f)?;
                error.reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {reason}"))
            }
        }
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}

impl ConnectError {
    /// The same error, with the [`StoreError`] in it changed if there is one: for a store that adds a
    /// [reason](StoreError::with_reason) to its driver's errors.
    #[must_use]
    pub fn map_store(self, map: impl FnOnce(StoreError) -> StoreError) -> Self {
        match self {
            Self::Store(error) => Self::Store(map(error)),
            other => other,
        }
    }
}

impl From<StoreError> for ConnectError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A 503 with the message, which names no details.
#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for StoreError {
    fn into_response(self) -> axum_core::response::Response {
        (http::StatusCode::SERVICE_UNAVAILABLE, self.to_string()).into_response()
    }
}
