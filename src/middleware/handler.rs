//! A handler that takes its session as an argument, as a service for hyper and tower: `sessions.service(handler)`.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;

use super::future::{OpenSlot, text_response};
use super::{ResponseFuture, SessionBody};
use crate::config::{ErasedConfig, SessionConfig};
use crate::cookie::set_cookie::vary_cookie;
use crate::error::SessionRejection;
use crate::request::slot::Slot;
use crate::session::{Session, SessionData};
use crate::stages::load;
use crate::stages::receive::{Reception, receive};
use http_session_store::SessionStore;

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "a session handler cannot be made to take a `{Self}`",
        label = "`SessionArgument` is sealed: a handler takes `Session<T>` or `Option<Session<T>>`"
    )]
    #[expect(unnameable_types, reason = "sealed: only this crate implements it")]
    pub trait Sealed {}
}

/// How a handler takes its session: as `Session<T>` or, if it can run without a session, as `Option<Session<T>>`.
///
/// `None` stands for every [`SessionRejection`], so a handler cannot tell a failed store from a path outside of the
/// cookie's path.
///
/// ```
/// # use std::convert::Infallible;
/// # use http::{Request, Response};
/// # use http_session::{MemoryStore, Secret, Session, SessionConfig};
/// # let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
/// #[derive(Session)]
/// struct Visit {
///     views: u64,
/// }
///
/// async fn hello(_: Request<()>, session: Option<Session<Visit>>) -> Result<Response<String>, Infallible> {
///     Ok(Response::new(session.map_or("hello".into(), |session| format!("{} views", session.views))))
/// }
///
/// let service = sessions.service(hello);
/// ```
#[diagnostic::on_unimplemented(
    message = "a session handler does not take a `{Self}`",
    label = "the handler's second argument is not a session",
    note = "write `async fn(request: Request<B>, session: Session<T>) -> Result<Response<R>, E>`, or take `Option<Session<T>>`"
)]
pub trait SessionArgument: sealed::Sealed + Sized {
    /// The session's struct.
    type Data: SessionData;

    #[doc(hidden)]
    fn from_session(session: Result<Session<Self::Data>, SessionRejection>) -> Result<Self, SessionRejection>;
}

impl<T: SessionData> sealed::Sealed for Session<T> {}

impl<T: SessionData> SessionArgument for Session<T> {
    type Data = T;

    fn from_session(session: Result<Self, SessionRejection>) -> Result<Self, SessionRejection> {
        session
    }
}

impl<T: SessionData> sealed::Sealed for Option<Session<T>> {}

impl<T: SessionData> SessionArgument for Option<Session<T>> {
    type Data = T;

    fn from_session(session: Result<Session<T>, SessionRejection>) -> Result<Self, SessionRejection> {
        SessionRejection::or_none(session)
    }
}

/// What a handler returns: a future of `Result<Response<R>, E>`, as an `async fn` does. Implemented for all such futures.
#[diagnostic::on_unimplemented(
    message = "a session handler does not answer with `{Self}`",
    label = "the handler does not return a future of `Result<Response<R>, E>`",
    note = "write `async fn(request: Request<B>, session: Session<T>) -> Result<Response<R>, E>`"
)]
pub trait HandlerAnswer: Future {}

#[diagnostic::do_not_recommend]
impl<Answer, R, E> HandlerAnswer for Answer where Answer: Future<Output = Result<Response<R>, E>> {}

/// A handler with sessions, as a service of hyper and, with the feature `tower`, of tower. Made by
/// [`SessionConfig::service`].
///
/// It is cheap to clone, so each connection can have its own.
pub struct SessionHandler<H, A> {
    handler: Arc<H>,
    config: Arc<ErasedConfig>,
    argument: PhantomData<fn() -> A>,
}

impl<S: SessionStore> SessionConfig<S> {
    /// Turns a handler `async fn(Request<B>, Session<T>) -> Result<Response<R>, E>` into a hyper service. With the feature
    /// `tower`, it is a tower service too. The session is loaded before the handler runs.
    ///
    /// A handler that takes `Session<T>` is not called without a session. If the store failed, the response is a 503. A
    /// handler that can run without a session takes `Option<Session<T>>`.
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use http::{Request, Response};
    /// use http_session::{MemoryStore, Secret, Session, SessionConfig};
    ///
    /// #[derive(Session)]
    /// struct Visit {
    ///     views: u64,
    /// }
    ///
    /// async fn hello(_: Request<()>, mut session: Session<Visit>) -> Result<Response<String>, Infallible> {
    ///     session.views += 1;
    ///     Ok(Response::new(format!("{} views", session.views)))
    /// }
    ///
    /// let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    /// let service = sessions.service(hello);
    /// ```
    pub fn service<H, A, B, Answer>(&self, handler: H) -> SessionHandler<H, A>
    where
        H: Fn(Request<B>, A) -> Answer,
        A: SessionArgument,
        Answer: HandlerAnswer,
    {
        SessionHandler { handler: Arc::new(handler), config: Arc::clone(&self.config), argument: PhantomData }
    }
}

impl<H, A> SessionHandler<H, A> {
    fn start<B, Answer, R, E>(&self, request: Request<B>) -> HandlerFuture<H, A, B, Answer>
    where
        H: Fn(Request<B>, A) -> Answer,
        A: SessionArgument,
        Answer: Future<Output = Result<Response<R>, E>>,
    {
        let (request, reception) = receive(&self.config, request);
        let (slot, committed_by) = match reception {
            Reception::Slot(slot) => (slot, CommittedBy::ThisService),
            Reception::Served(slot) => (slot, CommittedBy::OuterLayer),
            Reception::Refused(refusal) => {
                return HandlerFuture {
                    stage: Stage::Run { response: ResponseFuture::refused(refusal), argument: PhantomData },
                };
            }
        };
        if self.config.store().is_instant() {
            // An instant store answers in one poll.
            let _ = pin!(load::load(&slot)).poll(&mut Context::from_waker(Waker::noop()));
            return HandlerFuture { stage: Stage::run(&*self.handler, request, slot, committed_by) };
        }
        let loading = Arc::clone(&slot);
        let load = Box::pin(async move { load::load(&loading).await });
        let handler = Arc::clone(&self.handler);
        HandlerFuture { stage: Stage::Load { load, waiting: Some(Waiting { handler, request, slot, committed_by }) } }
    }
}

impl<H, A> Clone for SessionHandler<H, A> {
    fn clone(&self) -> Self {
        Self { handler: Arc::clone(&self.handler), config: Arc::clone(&self.config), argument: PhantomData }
    }
}

impl<H, A> fmt::Debug for SessionHandler<H, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionHandler(..)")
    }
}

impl<H, A, B, Answer, R, E> hyper::service::Service<Request<B>> for SessionHandler<H, A>
where
    H: Fn(Request<B>, A) -> Answer,
    A: SessionArgument,
    Answer: Future<Output = Result<Response<R>, E>>,
{
    type Response = Response<SessionBody<R>>;
    type Error = E;
    type Future = HandlerFuture<H, A, B, Answer>;

    fn call(&self, request: Request<B>) -> Self::Future {
        self.start(request)
    }
}

#[cfg(feature = "tower")]
impl<H, A, B, Answer, R, E> tower_service::Service<Request<B>> for SessionHandler<H, A>
where
    H: Fn(Request<B>, A) -> Answer,
    A: SessionArgument,
    Answer: Future<Output = Result<Response<R>, E>>,
{
    type Response = Response<SessionBody<R>>;
    type Error = E;
    type Future = HandlerFuture<H, A, B, Answer>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.start(request)
    }
}

/// Who commits the slot. Only one may (R9).
#[derive(Clone, Copy)]
enum CommittedBy {
    ThisService,
    /// A layer of the same configuration around this service.
    OuterLayer,
}

/// A request that waits until its session is loaded.
struct Waiting<H, B> {
    handler: Arc<H>,
    request: Request<B>,
    slot: Arc<Slot>,
    committed_by: CommittedBy,
}

pin_project! {
    /// The future of a [`SessionHandler`]: loads the session, runs the handler and commits.
    ///
    /// Its error is that of the handler, since failures of the session are responses. [`ResponseFuture`] says what happens
    /// if it is dropped.
    #[must_use = "futures do nothing unless polled"]
    pub struct HandlerFuture<H, A, B, Answer>
    where
        Answer: Future,
    {
        #[pin]
        stage: Stage<H, A, B, Answer>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<H, A, B, Answer>
    where
        Answer: Future,
    {
        Load { load: Pin<Box<dyn Future<Output = ()> + Send>>, waiting: Option<Waiting<H, B>> },
        Run { #[pin] response: ResponseFuture<Answer>, argument: PhantomData<fn() -> A> },
        Rejected { rejection: SessionRejection },
    }
}

impl<H, A, B, Answer> Stage<H, A, B, Answer>
where
    H: Fn(Request<B>, A) -> Answer,
    A: SessionArgument,
    Answer: Future,
{
    /// Calls the handler with the session of a loaded slot.
    fn run(handler: &H, request: Request<B>, slot: Arc<Slot>, committed_by: CommittedBy) -> Self {
        match A::from_session(Session::open(Arc::clone(&slot))) {
            Ok(session) => {
                // Made before the handler is called: if that panics, a sign-out is still done (R11).
                let slot = match committed_by {
                    CommittedBy::ThisService => Some(OpenSlot::new(slot)),
                    CommittedBy::OuterLayer => None,
                };
                let response = ResponseFuture::new(handler(request, session), slot);
                Self::Run { response, argument: PhantomData }
            }
            Err(rejection) => Self::Rejected { rejection },
        }
    }
}

impl<H, A, B, Answer, R, E> Future for HandlerFuture<H, A, B, Answer>
where
    H: Fn(Request<B>, A) -> Answer,
    A: SessionArgument,
    Answer: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<SessionBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.stage.as_mut().project() {
                StageProjection::Load { load, waiting } => {
                    ready!(load.as_mut().poll(context));
                    let Some(Waiting { handler, request, slot, committed_by }) = waiting.take() else {
                        return Poll::Pending;
                    };
                    let stage = Stage::run(&*handler, request, slot, committed_by);
                    this.stage.set(stage);
                }
                StageProjection::Run { response, .. } => return response.poll(context),
                StageProjection::Rejected { rejection } => {
                    let mut response = text_response(rejection.status(), rejection.body_text());
                    if matches!(rejection, SessionRejection::StoreFailed | SessionRejection::Unreadable) {
                        // The store was asked, so the response depends on the cookie (R20). A response of ours has room for
                        // it.
                        let _ = vary_cookie(response.headers_mut());
                    }
                    return Poll::Ready(Ok(response));
                }
            }
        }
    }
}

impl<H, A, B, Answer: Future> fmt::Debug for HandlerFuture<H, A, B, Answer> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandlerFuture(..)")
    }
}
