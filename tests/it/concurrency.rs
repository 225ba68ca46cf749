//! Concurrent requests to one session.

mod conflict;
mod crowds;
mod merge;

use http::Method;
use http_session::Session;
use http_session::SessionData;

use crate::support::{Answer, Browser, Reply, Rig, poll_once};

/// Runs two handlers that both load the session as it is now: `first` works only after `second` has been committed.
/// Returns both answers.
pub async fn interleave<T, W, F, V, G>(rig: &Rig, browser: &Browser, first: W, second: V) -> (Answer, Answer)
where
    T: SessionData + Send + 'static,
    W: FnOnce(Session<T>) -> F + Send + 'static,
    F: Future<Output: Reply> + Send + 'static,
    V: FnOnce(Session<T>) -> G + Send + 'static,
    G: Future<Output: Reply> + Send + 'static,
{
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let mut slow = rig.start(browser.request(Method::GET, "/"), async move |session: Session<T>| {
        wait.await.unwrap();
        first(session).await
    });
    // A waiting store answers at the second poll.
    assert!(poll_once(&mut slow).is_pending() && poll_once(&mut slow).is_pending());
    let second = rig.ask(browser, second).await;
    go.send(()).unwrap();
    (Answer::read(slow.await.unwrap()).await, second)
}
