//! `Session<T>`, `Option<Session<T>>` and `Csrf` as axum extractors, and the errors as responses.

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::error::{CsrfRejection, SaveError, SessionRejection, SignInNotRecent};
use crate::session::csrf::Csrf;
use crate::session::{Session, SessionData};

/// Loads the session. If there is none for this handler, the handler does not run, and the response is that of the
/// rejection.
///
/// The errors of the session's methods are responses, so a handler may return them with `?`. If axum does not accept a
/// handler, put `#[axum::debug_handler]` above it: only then does the compiler say why.
///
/// ```
/// # use http_session::Session;
/// # #[derive(Session)] struct Visit { views: u64 }
/// async fn hello(mut session: Session<Visit>) -> String {
///     session.views += 1;
///     format!("{} views", session.views)
/// }
///
/// async fn sign_out(session: Session<Visit>) -> Result<&'static str, http_session::error::StoreError> {
///     session.destroy().await?;
///     Ok("signed out")
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(hello).post(sign_out));
/// ```
impl<State: Send + Sync, T: SessionData> FromRequestParts<State> for Session<T> {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, SessionRejection> {
        Self::extract(&parts.extensions).await
    }
}

/// For a handler that can work without a session. `None` if the store failed, if the stored session cannot be read, or if
/// the path is outside the cookie's path. A missing layer is a mistake in the program, so it is still a rejection.
///
/// ```
/// # use http_session::Session;
/// # #[derive(Session)] struct Visit { views: u64 }
/// async fn hello(session: Option<Session<Visit>>) -> String {
///     session.map_or("hello".into(), |session| format!("{} views", session.views))
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(hello));
/// ```
impl<State: Send + Sync, T: SessionData> OptionalFromRequestParts<State> for Session<T> {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Option<Self>, SessionRejection> {
        SessionRejection::or_none(Self::extract(&parts.extensions).await)
    }
}

/// Tokens for pages, and the check of posted tokens. If there is no session for this request, the response is that of the
/// rejection.
impl<State: Send + Sync> FromRequestParts<State> for Csrf {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, SessionRejection> {
        Self::extract(&parts.extensions).await
    }
}

impl IntoResponse for CsrfRejection {
    fn into_response(self) -> Response {
        (self.status(), self.body_text()).into_response()
    }
}

impl IntoResponse for SaveError {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        (self.status(), self.body_text()).into_response()
    }
}

impl IntoResponse for SignInNotRecent {
    fn into_response(self) -> Response {
        (http::StatusCode::FORBIDDEN, self.to_string()).into_response()
    }
}
