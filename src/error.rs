//! The errors of this crate. No message contains a secret, a session id, a field's value or a driver's message.

use std::error::Error as StdError;
use std::fmt;

#[doc(inline)]
pub use http_session_store::error::{
    ConnectError, InvalidEntry, InvalidFields, InvalidSessionId, MergeConflict, StoreError, StoreErrorKind,
};
use http_session_store::rule_error;

rule_error!(
    /// The bytes are too weak for a [`Secret`](crate::Secret). Returned by `Secret::try_from`.
    InvalidSecret,
    "a secret must have at least 32 bytes that are not all the same"
);
rule_error!(
    /// The user signed in too long ago for this step, or is not signed in. Returned by
    /// [`Session::require_recent`](crate::Session::require_recent).
    ///
    /// With the feature `axum` it is a response with status 403.
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
    /// The secret is empty. Returned by [`Secret::express`](crate::Secret::express), which accepts any other length.
    EmptySecret,
    "a secret must have at least one byte"
);
rule_error!(
    /// The text is not a valid [`CookieName`](crate::CookieName).
    InvalidCookieName,
    "a cookie name must have 1 to 256 letters, digits or !#$%&'*+-.^_`|~, and must not begin with `__Host-` or `__Secure-`"
);
rule_error!(
    /// The text is not a valid [`CookiePath`](crate::CookiePath).
    InvalidCookiePath,
    "a cookie path must begin with `/` and have at most 1024 visible ASCII characters without `;`"
);
rule_error!(
    /// The text is not a valid [`CookieDomain`](crate::CookieDomain).
    InvalidCookieDomain,
    "a cookie domain must have at most 253 characters, in labels of 1 to 63 letters, digits and inner hyphens"
);
rule_error!(
    /// The text is not a valid [`TrustedOrigin`](crate::csrf::TrustedOrigin).
    InvalidOrigin,
    "an origin must be a scheme, `://` and a host in lower case, with a port only if it is not the scheme's default"
);
rule_error!(
    /// The request changes something and does not show that it comes from a page of this site. Returned by
    /// [`Csrf::verify`](crate::Csrf::verify) and [`Csrf::check`](crate::Csrf::check).
    ///
    /// As a response it has the status [`status`](Self::status) and this message as its body. With the feature `axum`
    /// it implements `IntoResponse`. The response does not say what was wrong; the event `session.csrf.refused` does.
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
    /// Returns the status of the response: 403.
    #[must_use]
    pub const fn status(self) -> http::StatusCode {
        http::StatusCode::FORBIDDEN
    }

    /// Returns the body of the response. It tells the user what to do, but not what was wrong.
    #[must_use]
    pub const fn body_text(self) -> &'static str {
        Self::MESSAGE
    }
}

/// The environment variable does not hold a valid secret. Returned by [`Secret::from_env`](crate::Secret::from_env).
///
/// The message contains the variable's name, never its value.
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

    /// Whether the variable is not set. Otherwise it is set to a value that is too weak.
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

/// The same text as `Display`, because an error that `main` returns is printed with `Debug`.
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
                    "the environment variable `{}` does not hold a valid secret: {rule}; `openssl rand -hex 32` generates one",
                    self.variable
                )
            }
        }
    }
}

impl StdError for SecretFromEnvError {}

/// The reason why a handler gets no session.
///
/// As a response it has the status [`status`](Self::status) and the body [`body_text`](Self::body_text). With the
/// feature `axum` it implements `IntoResponse`.
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
    /// The session of this request has already been committed with its response.
    Closed,
    /// The request did not pass through a session layer.
    NoLayer,
    /// The request's path is outside the cookie's path, or the configuration ignores it.
    OutsidePath,
    /// The store failed to load the session.
    StoreFailed,
    /// The identity or a `required` field of the stored session does not decode. The stored session is unchanged.
    Unreadable,
}

impl SessionRejection {
    /// Returns the status of the response: 503 if the store failed, otherwise 500.
    #[must_use]
    pub const fn status(self) -> http::StatusCode {
        match self {
            Self::StoreFailed => http::StatusCode::SERVICE_UNAVAILABLE,
            Self::Closed | Self::NoLayer | Self::OutsidePath | Self::Unreadable => {
                http::StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// Returns the body of the response. It says what went wrong, and contains nothing from the session.
    #[must_use]
    pub const fn body_text(self) -> &'static str {
        match self {
            Self::Closed => "the session of this request has already been committed",
            Self::NoLayer => {
                "this request did not pass through a session layer: add `.layer(sessions.layer())` around the handler"
            }
            Self::OutsidePath => {
                "there is no session for this path: it is outside the session cookie's path, or ignored"
            }
            Self::StoreFailed => "the session store is unavailable",
            Self::Unreadable => "the stored session cannot be read by this handler",
        }
    }

    /// Turns a rejection into `None`, for a handler that takes an `Option`. A missing layer stays an error, since the
    /// program is wrong and the handler would never see a session.
    #[cfg(any(feature = "hyper", feature = "axum"))]
    pub(crate) fn or_none<T>(found: Result<T, Self>) -> Result<Option<T>, Self> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(Self::NoLayer) => Err(Self::NoLayer),
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

/// The reason why an awaited call failed: `save`, `take`, `reload`, `destroy_others`, or `save` of a detached session.
///
/// With the feature `axum` it is a response with the status [`status`](Self::status).
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
    /// Another request changed the same field, and its merge rule or `take` does not combine the two changes.
    Conflict,
    /// This request has a pending change of identity, `regenerate` or end of the session. It is committed with the
    /// response, or by `sign_out` or `destroy`, but not by a save.
    IdentityPending,
    /// The session was destroyed or has expired. No new session was created.
    Missing,
    /// This request has no session, its response has already been committed, or the configured generator of ids did not
    /// return a valid id.
    NoSession,
    /// No user is signed in.
    NotSignedIn,
    /// The store failed.
    Store(StoreError),
    /// Another request rotated or ended the session after it was loaded, or the request presented a superseded cookie
    /// or two sessions.
    Superseded,
    /// The session is larger than [`record_limit`](crate::config::builder::Builder::record_limit) allows.
    TooLarge,
    /// A field could not be serialised.
    Unencodable,
    /// The cookie of a new session cannot be sent on this connection, so the session was not stored (express: a
    /// `Secure` cookie over http).
    Unsendable,
}

impl SaveError {
    /// Returns the status for a response, the same as if the commit had failed in this way: 409 if another request was
    /// first or the session is gone, 403 if no user is signed in, 503 if the store failed, otherwise 500.
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
            Self::NotSignedIn => "no user is signed in",
            Self::Store(_) => "the session store failed",
            Self::Superseded => "another request rotated or ended the session",
            Self::TooLarge => "the session is larger than the limit",
            Self::Unencodable => "a session field could not be serialised",
            Self::Unsendable => "the session cookie cannot be sent on this connection",
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
