//! What a test of the middleware needs.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use http::Response;
use http_session::testing::Answer;
use http_session::{Secret, SessionConfig, SessionStore};
use tower::{Layer as _, ServiceExt as _};

/// A request without a body.
pub type Request = http::Request<String>;

/// How often a long test repeats itself: in full with `CI=true`, where the tests are optimised too, else a tenth of it.
pub fn times(full: u64) -> u64 {
    if std::env::var_os("CI").is_some_and(|ci| ci == "true") { full } else { full / 10 }
}

/// The same secret in every test.
pub fn secret() -> Secret {
    http_session::secret!("a secret for tests, of more than 32 bytes")
}

/// Another one.
pub fn other_secret() -> Secret {
    http_session::secret!("another secret for tests, as long as that")
}

/// An error of the inner service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oops;

impl fmt::Display for Oops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("oops")
    }
}

impl std::error::Error for Oops {}

/// Polls once; the waker is never called.
pub fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Lets spawned work come to its end.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Sends a request through a layer around a handler that extracts for itself.
pub async fn through<S, H>(sessions: &SessionConfig<S>, request: Request, handler: H) -> Answer
where
    S: SessionStore,
    H: AsyncFnOnce(Request),
{
    let mut handler = Some(handler);
    let service = tower::service_fn(move |request| {
        let work = handler.take().unwrap();
        async move {
            work(request).await;
            Ok::<_, Oops>(Response::new(String::new()))
        }
    });
    Answer::read(sessions.layer().layer(service).oneshot(request).await.unwrap()).await
}
