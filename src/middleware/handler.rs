//! `sessions.service(handler)`: a handler that gets its session as an argument, as a service for hyper (and tower).

use crate::stages::load;
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
use crate::stages::receive::{Reception, receive};
use http_session_store::SessionStore;

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "a session handler cannot be made to take a `{Self}`",
        label = "`SessionArgument` is sealed: a handler takes `Session<T>` or `Option<Session<T>>`"
    )]
    pub trait Sealed {}
}

/// How a handler takes its session: `Session<T>`, or `Option<Session<T>>` if it can do without (R18). `None` stands for every
/// [`SessionRejection`], outside of the cookie's path too.
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
    label = "the handler's second argument is no session",
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

/// What a handler answers with: a future of `Result<Response<R>, E>`, as an `async fn` gives it.
///
/// ```
/// use http::Response;
/// use http_session::middleware::HandlerAnswer;
///
/// async fn hello() -> Result<Response<String>, std::convert::Infallible> {
///     Ok(Response::new("hello".into()))
/// }
///
/// fn is_answer<Answer: HandlerAnswer>(_: Answer) {}
/// is_answer(hello());
/// ```
#[diagnostic::on_unimplemented(
    message = "a session handler does not answer with `{Self}`",
    label = "the handler does not return a future of `Result<Response<R>, E>`",
    note = "write `async fn(request: Request<B>, session: Session<T>) -> Result<Response<R>, E>`"
)]
pub trait HandlerAnswer: Future {}

#[diagnostic::do_not_recommend]
impl<Answer, R, E> HandlerAnswer for Answer where Answer: Future<Output = Result<Response<R>, E>> {}

/// A handler with sessions, as a service of hyper and, with the feature `tower`, of tower. Made by [`SessionConfig::service`].
/// Cheap to clone: one for each connection.
///
/// ```
/// # use std::convert::Infallible;
/// # use http::{Request, Response};
/// # use http_session::{MemoryStore, Secret, Session, SessionConfig};
/// # let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
/// # #[derive(Session)] struct Visit { views: u64 }
/// # async fn hello(_: Request<()>, _: Session<Visit>) -> Result<Response<String>, Infallible> { Ok(Response::default()) }
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use hyper::service::Service;
///
/// let service = sessions.service(hello);
/// let response = service.call(Request::new(())).await?;
/// assert_eq!(response.status(), 200);
/// # Ok::<_, Infallible>(())
/// # }).unwrap();
/// # Ok::<_, std::io::Error>(())
/// ```
pub struct SessionHandler<H, A> {
    handler: Arc<H>,
    config: Arc<ErasedConfig>,
    argument: PhantomData<fn() -> A>,
}

impl<S: SessionStore> SessionConfig<S> {
    /// Turns `async fn(Request<B>, Session<T>) -> Result<Response<R>, E>` into a hyper service (and, with the feature
    /// `tower`, a tower service). The session is loaded before the handler runs.
    ///
    /// A handler that takes `Session<T>` is not called when there is none: the response is a 503 when the store failed. One
    /// that can do without takes `Option<Session<T>>` (R18).
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
        let (slot, commits) = match reception {
            Reception::Slot(slot) => (slot, Commits::Here),
            Reception::Served(slot) => (slot, Commits::Outside),
            Reception::Refused(refusal) => {
                return HandlerFuture {
                    stage: Stage::Run { response: ResponseFuture::refused(refusal), argument: PhantomData },
                };
            }
        };
        if self.config.store().is_instant() {
            // The promise to answer at once makes this one poll.
            let _ = pin!(load::load(&slot)).poll(&mut Context::from_waker(Waker::noop()));
            return HandlerFuture { stage: Stage::run(&*self.handler, request, slot, commits) };
        }
        let loading = Arc::clone(&slot);
        let load = Box::pin(async move { load::load(&loading).await });
        let handler = Arc::clone(&self.handler);
        HandlerFuture { stage: Stage::Load { load, waiting: Some(Waiting { handler, request, slot, commits }) } }
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

/// Who commits the slot: this service, or a layer around it of the same configuration.
#[derive(Clone, Copy)]
enum Commits {
    Here,
    Outside,
}

/// A request whose session is on its way.
struct Waiting<H, B> {
    handler: Arc<H>,
    request: Request<B>,
    slot: Arc<Slot>,
    commits: Commits,
}

pin_project! {
    /// Loads the session, runs the handler, commits: the future of a [`SessionHandler`]. Its error is the handler's own;
    /// failures of the session are responses (R12). What a drop means says [`ResponseFuture`].
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use http::{Request, Response};
    /// # use http_session::{MemoryStore, Secret, Session, SessionConfig};
    /// # let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    /// # #[derive(Session)] struct Visit { views: u64 }
    /// # async fn hello(_: Request<()>, _: Session<Visit>) -> Result<Response<String>, Infallible> { Ok(Response::default()) }
    /// use hyper::service::Service;
    ///
    /// let response = sessions.service(hello).call(Request::new(())); // a `HandlerFuture`
    /// ```
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
    fn run(handler: &H, request: Request<B>, slot: Arc<Slot>, commits: Commits) -> Self {
        match A::from_session(Session::open(Arc::clone(&slot))) {
            Ok(session) => {
                // Open before the handler runs: it may panic.
                let slot = match commits {
                    Commits::Here => Some(OpenSlot::new(slot)),
                    Commits::Outside => None,
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
                    let Some(Waiting { handler, request, slot, commits }) = waiting.take() else {
                        return Poll::Pending;
                    };
                    let stage = Stage::run(&*handler, request, slot, commits);
                    this.stage.set(stage);
                }
                StageProjection::Run { response, .. } => return response.poll(context),
                StageProjection::Rejected { rejection } => {
                    let mut response = text_response(rejection.status(), rejection.body_text());
                    if matches!(rejection, SessionRejection::StoreFailed | SessionRejection::Unreadable) {
                        // One header always has room.
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
