//! `Session<T>`, `Option<Session<T>>` and `Csrf` as axum extractors, and errors as responses.

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::error::{CsrfRejection, SaveError, SessionRejection, SignInNotRecent};
use crate::session::csrf::Csrf;
use crate::session::{Session, SessionData};

/// No session, no handler (R18): the response is the rejection's. The session is loaded when it is extracted.
///
/// The errors of the session's methods are responses, so a handler may pass them on with `?`. Put `#[axum::debug_handler]` above
/// a handler that axum does not take: only then does the compiler say why.
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

/// A handler that can do without: `None` when the store failed, the stored session cannot be read, or the path is outside of
/// the cookie's. A missing layer is a mistake of the program all the same.
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

/// Tokens for pages, and the check of posted ones (R24): the response is the rejection's when there is no session.
///
/// ```
/// # use http_session::Csrf;
/// async fn token(csrf: Csrf) -> String {
///     csrf.token().map(|token| token.to_string()).unwrap_or_default()
/// }
/// # let _: axum::Router = axum::Router::new().route("/csrf-token", axum::routing::get(token));
/// ```
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
