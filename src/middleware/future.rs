//! On the way out: the handler's future, then the commit, then the response.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use http::{Response, StatusCode};
use pin_project_lite::pin_project;

use super::body::SessionBody;
use crate::cookie::set_cookie::{append, mark_private, vary_cookie};
use crate::decide::Status;
use crate::request::slot::Slot;
use crate::stages::commit::{Commitment, Delivery, Plan, commit};
use crate::stages::receive::Refusal;
use crate::stages::run_to_end::RunToEnd;
use crate::stages::write::WriteFailure;
use crate::telemetry;

pin_project! {
    /// Runs the inner service, commits the session, and returns the response. Its error is that of the inner service.
    ///
    /// If it is dropped before the handler has finished, only a sign-out or the end of the session is committed, if the
    /// handler asked for that. A commit that has begun runs to its end in a task of its own.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F>
    where
        F: Future,
    {
        // The order of the fields is the order in which they are dropped. The handler's future comes first: its handles still
        // write to the slot, and a sign-out that they write must be known when the slot is dropped (R11).
        #[pin]
        stage: Stage<F>,
        slot: Option<OpenSlot>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F>
    where
        F: Future,
    {
        Handler { #[pin] inner: F },
        Commit { work: RunToEnd<Commitment>, output: Option<F::Output> },
        Refused { refusal: Refusal },
        Done,
    }
}

/// A slot whose commit has not begun. It is dropped like that if the handler panics or the client disconnects. A sign-out
/// or the end of the session is then still done, if the handler asked for it (R11).
pub(super) struct OpenSlot(Option<Arc<Slot>>);

impl OpenSlot {
    pub(super) const fn new(slot: Arc<Slot>) -> Self {
        Self(Some(slot))
    }
}

impl Drop for OpenSlot {
    fn drop(&mut self) {
        let Some(slot) = self.0.take().filter(|slot| slot.must_sign_out()) else {
            return;
        };
        // One poll is enough for an instant store, which needs no runtime. Otherwise the poll begins the work, and dropping
        // `work` hands it to a task.
        let mut work = RunToEnd::new(commit(slot, Status::Failed, Delivery::Nowhere));
        let _ = Pin::new(&mut work).poll(&mut Context::from_waker(Waker::noop()));
    }
}

impl<F: Future> ResponseFuture<F> {
    /// Commits the slot after the inner service. Without a slot, an outer layer commits.
    pub(super) const fn new(inner: F, slot: Option<OpenSlot>) -> Self {
        Self { stage: Stage::Handler { inner }, slot }
    }

    pub(crate) const fn refused(refusal: Refusal) -> Self {
        Self { stage: Stage::Refused { refusal }, slot: None }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<SessionBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.stage.as_mut().project() {
                StageProjection::Handler { inner } => {
                    let output = ready!(inner.poll(context));
                    // Drops the handler's future before the commit: handles that it still holds write their changes now.
                    this.stage.set(Stage::Done);
                    let Some(slot) = this.slot.take().and_then(|mut open| open.0.take()) else {
                        return Poll::Ready(output.map(|response| response.map(SessionBody::handler)));
                    };
                    match begin_commit(slot, status(&output), delivery(&output)) {
                        Begun::Done(commitment) => return Poll::Ready(finish(output, commitment)),
                        Begun::Waiting(work) => this.stage.set(Stage::Commit { work, output: Some(output) }),
                    }
                }
                StageProjection::Commit { work, output } => {
                    let commitment = ready!(Pin::new(work).poll(context));
                    let Some(output) = output.take() else { return Poll::Pending };
                    this.stage.set(Stage::Done);
                    return Poll::Ready(finish(output, commitment));
                }
                StageProjection::Refused { refusal } => {
                    let response = text_response(refusal.status, refusal.text);
                    this.stage.set(Stage::Done);
                    return Poll::Ready(Ok(response));
                }
                StageProjection::Done => return Poll::Pending,
            }
        }
    }
}

/// A commit that is done already, or has to wait for the store.
enum Begun {
    Done(Commitment),
    Waiting(RunToEnd<Commitment>),
}

/// Commits here and now if no store call has to wait, which saves an allocation. Otherwise returns a future that runs to
/// its end.
fn begin_commit(slot: Arc<Slot>, status: Status, delivery: Delivery) -> Begun {
    if slot.is_untouched() {
        return Begun::Done(Commitment::default());
    }
    let waits = !slot.config.store().is_instant();
    // Both need an await before the slot may be closed: see `commit`.
    if slot.config.loads_always() || slot.is_writing() {
        return Begun::Waiting(RunToEnd::new(commit(slot, status, delivery)));
    }
    match Plan::new(slot, status, delivery) {
        Ok(mut plan) if waits && plan.calls_store() => {
            Begun::Waiting(RunToEnd::new(async move { plan.commit().await }))
        }
        Ok(mut plan) => Begun::Done(at_once(plan.commit())),
        Err(commitment) => Begun::Done(commitment),
    }
}

/// A response can carry a cookie, an error of the inner service cannot.
const fn delivery<R, E>(output: &Result<Response<R>, E>) -> Delivery {
    match output {
        Ok(_) => Delivery::Response,
        Err(_) => Delivery::Nowhere,
    }
}

/// Polls a commit that does not wait: it calls an instant store, or no store.
fn at_once(work: impl Future<Output = Commitment>) -> Commitment {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(commitment) => commitment,
        // Cannot happen. If it did, the changes would be lost, so the response must not say otherwise (R12).
        Poll::Pending => Commitment { failure: Some(WriteFailure::Conflict), ..Commitment::default() },
    }
}

fn status<R, E>(output: &Result<Response<R>, E>) -> Status {
    match output {
        Err(_) => Status::Failed,
        Ok(response) => match response.status() {
            // A time limit inside of this layer has cut the handler off, so its work may be half done (R11).
            StatusCode::REQUEST_TIMEOUT => Status::Failed,
            status if status.is_server_error() || status.as_u16() >= 600 => Status::Failed,
            status if status.is_client_error() => Status::Refused,
            _ => Status::Success,
        },
    }
}

/// Stage 8. A failed commit replaces the whole response, so that it tells the truth (R12).
fn finish<R, E>(output: Result<Response<R>, E>, commitment: Commitment) -> Result<Response<SessionBody<R>>, E> {
    let response = output?;
    let mut response = match commitment.failure {
        None => response.map(SessionBody::handler),
        Some(failure) => {
            let (status, text) = failure.answer();
            text_response(status, text)
        }
    };
    let headers = response.headers_mut();
    let fits = (!commitment.read || vary_cookie(headers).is_ok())
        && commitment.cookie.is_none_or(|cookie| mark_private(headers).is_ok() && append(headers, cookie).is_ok());
    if !fits {
        telemetry::headers_full();
        return Ok(text_response(StatusCode::INTERNAL_SERVER_ERROR, "the response has too many headers"));
    }
    Ok(response)
}

/// A response of our own, which no cache may store.
pub(crate) fn text_response<R>(status: StatusCode, text: &'static str) -> Response<SessionBody<R>> {
    let mut response = Response::new(SessionBody::from_text(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}

impl WriteFailure {
    const fn answer(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Conflict => (StatusCode::CONFLICT, "another request has changed the session; try again"),
            Self::Revoked => (StatusCode::CONFLICT, "this sign-in was revoked, or took too long; sign in again"),
            Self::TooLarge => (StatusCode::INTERNAL_SERVER_ERROR, "the session is larger than its limit"),
            Self::Unencodable => (StatusCode::INTERNAL_SERVER_ERROR, "a session field cannot be serialised"),
            Self::Cookie => (StatusCode::INTERNAL_SERVER_ERROR, "the session cookie would not be valid"),
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "the session store is unavailable"),
        }
    }
}
