//! Replies of a server, and the error for a reply that does not come in time.

use std::io;

use ::redis::{RedisError, RedisResult, Value};
use tokio::time::{Instant, timeout_at};

use http_session_store::error::{StoreError, StoreErrorKind};

/// The error that a reply stands for. The driver's pipelines hand errors over among the replies.
pub(crate) fn error_of(reply: &Value) -> Option<RedisError> {
    match reply {
        Value::ServerError(error) => Some(error.clone().into()),
        _ => None,
    }
}

/// The server sent a reply that its documentation does not allow for.
pub(crate) fn unexpected() -> StoreError {
    StoreError::new(StoreErrorKind::Unknown)
}

pub(super) fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

pub(super) async fn within<T>(deadline: Instant, work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    timeout_at(deadline, work).await.unwrap_or_else(|_| Err(timed_out()))
}
