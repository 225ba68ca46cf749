//! What can go wrong. Messages are lower case and never hold a secret, a session id, a field's value or a driver's message
//! (R26).

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
#[cfg(any(feature = "redis", feature = "postgres"))]
use std::sync::Arc;

/// Makes an error that says which rule was broken, and nothing of the value that broke it.
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

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Self::MESSAGE)
            }
        }

        impl StdError for $name {}
    };
}

rule_error!(
    /// A text that cannot be a session id. Given by `SessionId::try_from`.
    ///
    /// ```
    /// # use http_session::SessionId;
    /// assert_eq!(SessionId::try_from("").unwrap_err().to_string(), "a session id has 1 to 1024 bytes");
    /// ```
    InvalidSessionId,
    "a session id has 1 to 1024 bytes"
);
rule_error!(
    /// Bytes that are too weak to be a [`Secret`](crate::Secret) (R25). Given by `Secret::try_from`.
    ///
    /// ```
    /// # use http_session::{Secret, error::InvalidSecret};
    /// let error: InvalidSecret = Secret::try_from("keyboard cat").unwrap_err();
    /// ```
    InvalidSecret,
    "a secret has at least 32 bytes, and they are not all the same"
);
rule_error!(
    /// The user signed in too long ago for this step, or not at all. Given by
    /// [`Session::require_recent`](crate::session::Session::require_recent). With the feature `axum` it is a 403.
    ///
    /// ```
    /// # use http_session::error::SignInNotRecent;
    /// # use http_session::Session;
    /// # #[derive(Session)] struct Visit { #[session(identity)] user: Option<u64> }
    /// async fn pay(session: Session<Visit>) -> Result<&'static str, SignInNotRecent> {
    ///     session.require_recent(std::time::Duration::from_secs(300))?;
    ///     Ok("paid")
    /// }
    /// ```
    SignInNotRecent,
    "sign in again to do this"
);
rule_error!(
    /// No bytes at all, where [`Secret::express`](crate::Secret::express) takes a secret of any other length.
    ///
    /// ```
    /// # use http_session::{Secret, error::EmptySecret};
    /// let error: EmptySecret = Secret::express("").unwrap_err();
    /// ```
    EmptySecret,
    "a secret has at least one byte"
);
rule_error!(
    /// A text that cannot be a [`CookieName`](crate::CookieName).
    ///
    /// ```
    /// # use http_session::{CookieName, error::InvalidCookieName};
    /// let error: InvalidCookieName = CookieName::try_from("s id").unwrap_err();
    /// ```
    InvalidCookieName,
    "a cookie name has 1 to 256 letters, digits or !#$%&'*+-.^_`|~, and no prefix of its own"
);
rule_error!(
    /// A text that cannot be a [`CookiePath`](crate::CookiePath).
    ///
    /// ```
    /// # use http_session::{CookiePath, error::InvalidCookiePath};
    /// let error: InvalidCookiePath = CookiePath::try_from("shop").unwrap_err();
    /// ```
    InvalidCookiePath,
    "a cookie path begins with `/` and has at most 1024 visible ASCII characters without `;`"
);
rule_error!(
    /// A text that cannot be a [`CookieDomain`](crate::CookieDomain).
    ///
    /// ```
    /// # use http_session::{CookieDomain, error::InvalidCookieDomain};
    /// let error: InvalidCookieDomain = CookieDomain::try_from("example.com:443").unwrap_err();
    /// ```
    InvalidCookieDomain,
    "a cookie domain has at most 253 characters, in labels of 1 to 63 letters, digits and inner hyphens"
);
rule_error!(
    /// Bytes that are no block of fields ([`Fields::from_bytes`](crate::record::Fields::from_bytes)).
    ///
    /// ```
    /// # use http_session::{error::InvalidFields, record::Fields};
    /// let error: InvalidFields = Fields::from_bytes(b"cut off").unwrap_err();
    /// ```
    InvalidFields,
    "the stored fields are cut off or malformed"
);
/// Bytes that are no [`Entry`](crate::store::Entry), given by [`Entry::from_bytes`](crate::store::Entry::from_bytes). As a
/// [`StoreError`] it is [`Corrupt`](StoreErrorKind::Corrupt), so that a store passes it on with `?`.
///
/// ```
/// # use http_session::{error::InvalidEntry, store::Entry};
/// let error: InvalidEntry = Entry::from_bytes(b"cut off").unwrap_err();
/// assert_eq!(error.to_string(), "the stored row is cut off or malformed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidEntry {
    unknown_version: bool,
}

impl InvalidEntry {
    pub(crate) const MALFORMED: Self = Self { unknown_version: false };
    pub(crate) const UNKNOWN_VERSION: Self = Self { unknown_version: true };

    /// Whether a later version of this crate wrote it: the bytes are as they should be, and not to be removed.
    ///
    /// ```
    /// # use http_session::store::Entry;
    /// assert!(Entry::from_bytes(b"hsr\xff").unwrap_err().is_unknown_version());
    /// ```
    #[must_use]
    pub const fn is_unknown_version(self) -> bool {
        self.unknown_version
    }
}

impl fmt::Display for InvalidEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.unknown_version {
            "the stored row has a version that this program does not know"
        } else {
            "the stored row is cut off or malformed"
        })
    }
}

impl StdError for InvalidEntry {}

rule_error!(
    /// A text that cannot be a [`TrustedOrigin`](crate::TrustedOrigin).
    ///
    /// ```
    /// # use http_session::{TrustedOrigin, error::InvalidOrigin};
    /// let error: InvalidOrigin = TrustedOrigin::try_from("pay.example.com").unwrap_err();
    /// ```
    InvalidOrigin,
    "an origin is a scheme, `://` and a host in lower case, with a port unless it is the scheme's own, and nothing after it"
);
rule_error!(
    /// A request that changes something, and does not show that it comes from a page of this site (R24). Given by
    /// [`Csrf::verify`](crate::Csrf::verify) and [`Csrf::check`](crate::Csrf::check). As a response it is
    /// [`status`](Self::status) and this message; with the feature `axum` it is an `IntoResponse`. Why says the event
    /// `session.csrf.refused`, not the response.
    ///
    /// ```
    /// use http_session::Csrf;
    /// use http_session::error::CsrfRejection;
    ///
    /// fn posted(csrf: &Csrf, token: &str) -> Result<(), CsrfRejection> {
    ///     csrf.verify(token)
    /// }
    /// ```
    CsrfRejection,
    "this request does not show that it comes from a page of this site, or the page is out of date: reload it and try again"
);

impl CsrfRejection {
    /// The status of the response: 403.
    ///
    /// ```
    /// # use http_session::error::CsrfRejection;
    /// fn refuse(rejection: CsrfRejection) -> http::Response<String> {
    ///     let mut response = http::Response::new(rejection.to_string());
    ///     *response.status_mut() = rejection.status();
    ///     response
    /// }
    /// ```
    #[must_use]
    pub const fn status(self) -> http::StatusCode {
        http::StatusCode::FORBIDDEN
    }

    /// The text of the response: what to do, nothing of what was wrong.
    ///
    /// ```
    /// # use http_session::error::CsrfRejection;
    /// fn text(rejection: CsrfRejection) -> &'static str {
    ///     rejection.body_text()
    /// }
    /// ```
    #[must_use]
    pub const fn body_text(self) -> &'static str {
        Self::MESSAGE
    }
}

rule_error!(
    /// A merge rule that refuses to join two changes, as `merge = "reject"` always does. The response is a 409.
    ///
    /// ```
    /// # use http_session::error::MergeConflict;
    /// assert_eq!(MergeConflict::refuse().to_string(), "another request changed the same field");
    /// ```
    MergeConflict,
    "another request changed the same field"
);

impl MergeConflict {
    /// Refuses to join two changes: the commit fails as a whole, and the response is a 409. For a [`MergeFn`] of your own.
    ///
    /// [`MergeFn`]: crate::record::MergeFn
    ///
    /// ```
    /// use http_session::error::MergeConflict;
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

/// Why [`Secret::from_env`](crate::Secret::from_env) gave no secret. Tells the variable's name, never its value (R26).
///
/// ```
/// # use http_session::Secret;
/// let error = Secret::from_env("SURELY_NOT_SET").unwrap_err();
/// assert_eq!(error.to_string(), "the environment variable `SURELY_NOT_SET` is not set");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SecretFromEnvError {
    variable: Box<str>,
    weak: Option<InvalidSecret>,
}

impl SecretFromEnvError {
    #[cold]
    pub(crate) fn not_set(variable: &str) -> Self {
        Self { variable: variable.into(), weak: None }
    }

    #[cold]
    pub(crate) fn weak(variable: &str, rule: InvalidSecret) -> Self {
        Self { variable: variable.into(), weak: Some(rule) }
    }

    /// Whether the variable is not there at all; otherwise it is there and breaks R25.
    ///
    /// ```
    /// # use http_session::Secret;
    /// let secret = match Secret::from_env("SURELY_NOT_SET") {
    ///     Err(error) if error.is_not_set() => Secret::random(), // on a developer's machine
    ///     other => other?,
    /// };
    /// # Ok::<_, http_session::error::SecretFromEnvError>(())
    /// ```
    #[must_use]
    pub const fn is_not_set(&self) -> bool {
        self.weak.is_none()
    }
}

/// The same sentence as `Display`: a `?` in `main` prints this one.
impl fmt::Debug for SecretFromEnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for SecretFromEnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.weak {
            None => write!(f, "the environment variable `{}` is not set", self.variable),
            Some(rule) => {
                write!(
                    f,
                    "the environment variable `{}` holds no secret: {rule}; `openssl rand -hex 32` makes one",
                    self.variable
                )
            }
        }
    }
}

impl StdError for SecretFromEnvError {}

/// What is wrong with a store, or with a call to it.
///
/// ```
/// use http_session::error::{StoreError, StoreErrorKind};
///
/// fn try_again(error: &StoreError) -> bool {
///     // Of `Unknown` nobody can tell whether the write happened.
///     error.kind() == StoreErrorKind::Unavailable
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// A row that this store cannot read, or a session that does not decode.
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
/// [`source`](StdError::source), for code that knows what it logs. With the feature `axum` it is a 503 that says the same.
///
/// ```
/// use http_session::error::{StoreError, StoreErrorKind};
///
/// let driver = std::io::Error::other("postgres://app:hunter2@db refused the connection");
/// let error = StoreError::new(StoreErrorKind::Unavailable).with_source(driver);
/// assert_eq!(error.to_string(), "the session store is unavailable");
/// ```
pub struct StoreError {
    kind: StoreErrorKind,
    reason: Option<Cow<'static, str>>,
    source: Option<BoxError>,
}

type BoxError = Box<dyn StdError + Send + Sync>;

/// The system's error behind a driver's, in words that hold nothing of what the driver was told (R26).
#[cfg(any(feature = "redis", feature = "postgres"))]
pub(crate) fn system_reason<'a>(error: &'a (dyn StdError + 'static)) -> Option<Cow<'static, str>> {
    use std::io::{Error, ErrorKind};
    let system = |error: &'a (dyn StdError + 'static)| {
        // As the driver for Redis has it.
        let shared = || error.downcast_ref::<Arc<dyn StdError + Send + Sync>>()?.downcast_ref::<Error>();
        error.downcast_ref::<Error>().or_else(shared)
    };
    let error = std::iter::successors(Some(error), |&error| error.source()).filter_map(system).last()?;
    match error.kind() {
        ErrorKind::InvalidData => Some(NO_TLS.into()),
        // The system's resolver has no kind for it.
        _ if error.to_string().starts_with("failed to lookup address") => Some("the host's name is not known".into()),
        ErrorKind::Other => None,
        kind => Some(kind.to_string().into()).filter(|text| text != "uncategorized error"),
    }
}

#[cfg(any(feature = "redis", feature = "postgres"))]
pub(crate) const NO_TLS: &str = "tls did not come about: the server has none, or a certificate that is not trusted";

impl StoreError {
    /// An error of a kind, for authors of stores.
    ///
    /// ```
    /// # use http_session::error::{StoreError, StoreErrorKind};
    /// let error = StoreError::new(StoreErrorKind::Full);
    /// ```
    #[cold]
    #[must_use]
    pub const fn new(kind: StoreErrorKind) -> Self {
        Self { kind, reason: None, source: None }
    }

    /// With the driver's error. It is neither logged nor shown to the client.
    ///
    /// ```
    /// # use http_session::error::{StoreError, StoreErrorKind};
    /// let timeout = std::io::Error::from(std::io::ErrorKind::TimedOut);
    /// let error = StoreError::new(StoreErrorKind::Unknown).with_source(timeout);
    /// ```
    #[cold]
    #[must_use]
    pub fn with_source(self, source: impl Into<BoxError>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// With a reason: whoever opens a store reads it in the [`ConnectError`]. It holds nothing of a driver's message (R26).
    ///
    /// ```
    /// # use http_session::error::{ConnectError, StoreError, StoreErrorKind};
    /// let error = StoreError::new(StoreErrorKind::Refused).with_reason("there is no such bucket");
    /// assert_eq!(ConnectError::from(error).to_string(), "the session store refused the call: there is no such bucket");
    /// ```
    #[cold]
    #[must_use]
    pub fn with_reason(self, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// The kind.
    ///
    /// ```
    /// # use http_session::error::{StoreError, StoreErrorKind};
    /// assert_eq!(StoreError::new(StoreErrorKind::Full).kind(), StoreErrorKind::Full);
    /// ```
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

impl From<InvalidEntry> for StoreError {
    fn from(invalid: InvalidEntry) -> Self {
        Self::new(StoreErrorKind::Corrupt).with_source(invalid)
    }
}

/// Why a store could not be opened, with the reason where it is known. It never holds the URL, which may hold a password, and
/// nothing of a driver's message, which may hold it too (R26). That is the [`source`](StdError::source), for code that knows
/// what it prints.
///
/// ```
/// use http_session::error::ConnectError;
///
/// let error = ConnectError::InvalidUrl("a file of its own has no name");
/// assert_eq!(error.to_string(), "the URL of the session store is not valid: a file of its own has no name");
/// assert!(ConnectError::UnknownScheme(&[]).to_string().contains("it has none"));
/// ```
#[non_exhaustive]
pub enum ConnectError {
    /// No store of this program has a URL of this kind. The kinds that are compiled in.
    UnknownScheme(&'static [&'static str]),
    /// What is wrong with the URL.
    InvalidUrl(&'static str),
    /// What is wrong with the options.
    InvalidOptions(&'static str),
    /// The database has no table of the store's name and may not make one, or has another one; what to do about it.
    Schema(&'static str),
    /// The storage cannot be reached, or refuses.
    Store(StoreError),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownScheme(known) => {
                f.write_str("this program has no session store for a URL of this kind; it has")?;
                if known.is_empty() {
                    f.write_str(" none")?;
                }
                for (place, scheme) in known.iter().enumerate() {
                    write!(f, "{} `{scheme}`", if place == 0 { "" } else { "," })?;
                }
                if !MISSING_FEATURES.is_empty() {
                    write!(f, "; others come with the crate features {}", MISSING_FEATURES.join(", "))?;
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

const MISSING_FEATURES: &[&str] = &[
    #[cfg(not(feature = "memory"))]
    "`memory`",
    #[cfg(not(feature = "sqlite"))]
    "`sqlite`",
    #[cfg(not(feature = "redis"))]
    "`redis`",
    #[cfg(not(feature = "redis-tls"))]
    "`redis-tls`",
    #[cfg(not(feature = "postgres"))]
    "`postgres`",
];

/// The sentence, since a `main` that returns the error shows this.
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

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl ConnectError {
    pub(crate) fn map_store(self, map: impl FnOnce(StoreError) -> StoreError) -> Self {
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

/// Why a handler gets no session (R16, R18, R22). As a response it is [`status`](Self::status) and
/// [`body_text`](Self::body_text); with the feature `axum` it is an `IntoResponse`.
///
/// ```
/// use http_session::Session;
/// use http_session::error::SessionRejection;
///
/// # #[derive(Session)] struct Visit { views: u64 }
/// async fn views(extensions: &http::Extensions) -> Result<u64, SessionRejection> {
///     match Session::<Visit>::extract(extensions).await {
///         Ok(session) => Ok(session.views),
///         Err(SessionRejection::StoreFailed) => Ok(0), // the page works without
///         Err(rejection) => Err(rejection),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The response of this request has been committed already.
    Closed,
    /// The request did not pass a session layer.
    NoLayer,
    /// The request's path is outside of the cookie's path, or ignored by configuration.
    OutsidePath,
    /// The session type has an identity or merge rules, and the layer is an
    /// [`overwriting_layer`](crate::SessionConfig::overwriting_layer).
    OverwritingStore,
    /// The store failed to load the session.
    StoreFailed,
    /// The identity or a required field of the stored session does not decode; nothing was overwritten.
    Unreadable,
}

impl SessionRejection {
    /// The status of the response: 503 when the store failed, else 500, the service's own mistake.
    ///
    /// ```
    /// # use http_session::error::SessionRejection;
    /// assert_eq!(SessionRejection::StoreFailed.status(), 503);
    /// ```
    #[must_use]
    pub const fn status(self) -> http::StatusCode {
        match self {
            Self::StoreFailed => http::StatusCode::SERVICE_UNAVAILABLE,
            Self::Closed | Self::NoLayer | Self::OutsidePath | Self::OverwritingStore | Self::Unreadable => {
                http::StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// The text of the response: what went wrong, nothing of the session.
    ///
    /// ```
    /// # use http_session::error::SessionRejection;
    /// assert_eq!(SessionRejection::StoreFailed.body_text(), "the session store is unavailable");
    /// ```
    #[must_use]
    pub const fn body_text(self) -> &'static str {
        match self {
            Self::Closed => "the session of this request has been committed already",
            Self::NoLayer => {
                "this request did not pass a session layer: add `.layer(sessions.layer())` around the handler"
            }
            Self::OutsidePath => {
                "there is no session here: the path is outside of the session cookie's path, or ignored"
            }
            Self::OverwritingStore => {
                "this session has an identity or merge rules, and the session store behind this layer only overwrites"
            }
            Self::StoreFailed => "the session store is unavailable",
            Self::Unreadable => "the stored session cannot be read by this handler",
        }
    }

    /// What a handler gets that can do without a session; a mistake of the program is no reason to do without.
    #[cfg(any(feature = "hyper", feature = "axum"))]
    pub(crate) fn or_none<T>(found: Result<T, Self>) -> Result<Option<T>, Self> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(mistake @ (Self::NoLayer | Self::OverwritingStore)) => Err(mistake),
            Err(_) => Ok(None),
        }
    }
}

impl fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.body_text())
    }
}

impl StdError for SessionRejection {}

/// Why an awaited call (`save`, `take`, `reload`, `destroy_others`, a detached session's `save`) did not happen. With the
/// feature `axum` it is a response of its [`status`](Self::status).
///
/// ```
/// use http_session::Session;
/// use http_session::error::SaveError;
///
/// #[derive(Session)]
/// struct Login {
///     nonce: Option<String>,
/// }
///
/// async fn redeem(mut session: Session<Login>) -> Result<Option<String>, SaveError> {
///     match session.take(|login| login.nonce.take()).await {
///         Err(SaveError::Conflict) => Ok(None), // another request was first
///         taken => taken,
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SaveError {
    /// A field was changed by another request, and its rule, or the gate, refuses to join the two (R13).
    Conflict,
    /// A change of identity, a `regenerate` or the session's end waits in this request: it is committed with the response,
    /// or by `sign_out` or `destroy`, not by a save (R12).
    IdentityPending,
    /// The session is gone: destroyed or expired. Nothing was created (R8).
    Missing,
    /// There is no session in this request, or its response has been committed already; or the generator of ids
    /// gave no valid one.
    NoSession,
    /// Nobody is signed in.
    NotSignedIn,
    /// The store failed.
    Store(StoreError),
    /// Another request rotated or ended the session since it was loaded (R4), or the request came with a late cookie (R6), or
    /// with two sessions (R3).
    Superseded,
    /// The session is larger than the configured limit (R14).
    TooLarge,
    /// A field does not serialise.
    Unencodable,
    /// The cookie of a new session cannot travel on this connection, so nobody could ever find it (express: a Secure cookie
    /// over http).
    Unsendable,
}

impl SaveError {
    /// A status for a response that says so: what the same failure is at the commit. 409 where another request was first or the
    /// session is gone, 403 where nobody is signed in, 503 when the store failed, else 500, the service's own mistake.
    ///
    /// ```
    /// # use http_session::error::SaveError;
    /// assert_eq!(SaveError::Conflict.status(), 409);
    /// ```
    #[must_use]
    pub const fn status(&self) -> http::StatusCode {
        match self {
            Self::Conflict | Self::Missing | Self::Superseded => http::StatusCode::CONFLICT,
            Self::NotSignedIn => http::StatusCode::FORBIDDEN,
            Self::Store(_) => http::StatusCode::SERVICE_UNAVAILABLE,
            Self::IdentityPending | Self::NoSession | Self::TooLarge | Self::Unencodable | Self::Unsendable => {
                http::StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conflict => "another request changed the same field",
            Self::IdentityPending => "a change of identity is pending; it is committed with the response",
            Self::Missing => "the session no longer exists",
            Self::NoSession => "there is no session in this request",
            Self::NotSignedIn => "nobody is signed in",
            Self::Store(_) => "the session store failed",
            Self::Superseded => "another request rotated or ended the session",
            Self::TooLarge => "the session is larger than the limit",
            Self::Unencodable => "a session field does not serialise",
            Self::Unsendable => "the session cookie cannot travel on this connection",
        })
    }
}

impl StdError for SaveError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl From<StoreError> for SaveError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
