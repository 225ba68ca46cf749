//! What can go wrong. Messages are lower case and never hold a secret, a session id, a field's value or a driver's message
//! (R26).

use std::error::Error as StdError;
use std::fmt;

#[doc(inline)]
pub use http_session_store::error::{
    ConnectError, InvalidEntry, InvalidFields, InvalidSessionId, MergeConflict, StoreError, StoreErrorKind,
};
use http_session_store::rule_error;

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
    /// [`Session::require_recent`](crate::Session::require_recent). With the feature `axum` it is a 403.
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
    /// A text that cannot be a [`TrustedOrigin`](crate::csrf::TrustedOrigin).
    ///
    /// ```
    /// # use http_session::{csrf::TrustedOrigin, error::InvalidOrigin};
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
            Self::Closed | Self::NoLayer | Self::OutsidePath | Self::Unreadable => {
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
            Self::StoreFailed => "the session store is unavailable",
            Self::Unreadable => "the stored session cannot be read by this handler",
        }
    }

    /// What a handler gets that can do without a session; a mistake of the program is no reason to do without.
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
