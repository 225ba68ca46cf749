//! The tower layer that refuses cross-site requests: `sessions.csrf_layer()`.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use http::header::Entry;
use http::{HeaderName, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::SessionBody;
use super::future::text_response;
use crate::config::{ErasedConfig, SessionConfig};
use crate::error::SessionRejection;
use crate::forgery::Sender;
use crate::forgery::verdict::Verdict;
use crate::request::slot::{CurrentSlot, Slot};
use crate::session::csrf::{enforce, judge};
use crate::stages::load;
use crate::stages::receive::Refusal;
use http_session_store::SessionStore;

/// A tower layer that refuses requests from pages of other sites. Made by [`SessionConfig::csrf_layer`].
#[doc(alias = "CrossOriginProtection")]
#[derive(Clone)]
pub struct CsrfLayer {
    config: Arc<ErasedConfig>,
}

impl<S: SessionStore> SessionConfig<S> {
    /// A layer that refuses requests from pages of other sites with a 403, if the request may change something.
    ///
    /// Put it inside [`layer`](Self::layer). Without that, every request is answered with a 500 that says so.
    ///
    /// GET, HEAD, OPTIONS and TRACE requests pass, unless they open a WebSocket. For all others, `Sec-Fetch-Site` and
    /// `Origin` decide, and the session is not loaded. A request with neither header needs a [token](crate::Csrf::token) of
    /// the session in the header `x-csrf-token`. If the store is down, it is answered with a 503.
    ///
    /// Bodies are not read. For forms in browsers that send neither header, leave the layer off the route of the form, and
    /// call [`Csrf::check`](crate::Csrf::check) in the handler. The [chapter](crate::guide::csrf) has the whole table.
    ///
    /// ```
    /// use axum::Router;
    /// use http_session::{MemoryStore, Secret, SessionConfig};
    ///
    /// let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    /// // In axum, the last layer is the outermost.
    /// let app: Router = Router::new().layer(sessions.csrf_layer()).layer(sessions.layer());
    /// ```
    #[must_use]
    pub fn csrf_layer(&self) -> CsrfLayer {
        CsrfLayer { config: Arc::clone(&self.config) }
    }
}

impl<Inner> Layer<Inner> for CsrfLayer {
    type Service = CsrfService<Inner>;

    fn layer(&self, inner: Inner) -> CsrfService<Inner> {
        CsrfService { inner, config: Arc::clone(&self.config) }
    }
}

impl fmt::Debug for CsrfLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfLayer(..)")
    }
}

/// A service that is protected against cross-site request forgery. Made by [`CsrfLayer`].
///
/// It keeps the error type of the inner service: refusals are responses.
#[derive(Clone)]
pub struct CsrfService<Inner> {
    inner: Inner,
    config: Arc<ErasedConfig>,
}

impl<Inner> CsrfService<Inner> {
    /// Returns the inner service.
    #[must_use]
    pub fn into_inner(self) -> Inner {
        self.inner
    }
}

impl<Inner, B, R> Service<Request<B>> for CsrfService<Inner>
where
    Inner: Service<Request<B>, Response = Response<R>> + Clone,
{
    type Response = Response<SessionBody<R>>;
    type Error = Inner::Error;
    type Future = CsrfFuture<Inner, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Inner::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> CsrfFuture<Inner, B> {
        mark_sensitive(&self.config.settings.csrf_header, &mut request);
        let current = request.extensions().get::<CurrentSlot>();
        let Some(slot) = current.and_then(|current| current.innermost().of(&self.config)) else {
            return CsrfFuture { stage: Stage::Refused { refusal: NO_LAYER } };
        };
        // Read again, although the slot has it: a layer in between may have changed the request.
        let sender = {
            let settings = &self.config.settings;
            Sender::of(&request, &settings.trusted_origins, &settings.csrf_header, slot.received.transport)
        };
        let stage = match sender {
            Sender::Known(verdict) => Stage::judged(&mut self.inner, request, verdict),
            // An instant store answers in one poll.
            Sender::Unknown(_) if self.config.store().is_instant() => {
                let _ = pin!(load::load(&slot)).poll(&mut Context::from_waker(Waker::noop()));
                Stage::judged(&mut self.inner, request, judge(&slot, &sender, None))
            }
            Sender::Unknown(_) => {
                // `poll_ready` was called on this service, so this one must be called. The clone stays for the next request.
                let clone = self.inner.clone();
                let inner = mem::replace(&mut self.inner, clone);
                let loading = Arc::clone(&slot);
                let load = Box::pin(async move { load::load(&loading).await });
                Stage::Load { load, waiting: Some(Waiting { inner, request, slot, sender }) }
            }
        };
        CsrfFuture { stage }
    }
}

/// Keeps tokens out of the `Debug` output of the request (R26).
fn mark_sensitive<B>(name: &HeaderName, request: &mut Request<B>) {
    if let Entry::Occupied(mut tokens) = request.headers_mut().entry(name) {
        tokens.iter_mut().for_each(|token| token.set_sensitive(true));
    }
}

const NO_LAYER: Refusal = Refusal {
    status: StatusCode::INTERNAL_SERVER_ERROR,
    text: "this request did not pass through a session layer: add `.layer(sessions.layer())` around `sessions.csrf_layer()`",
};

impl<Inner> fmt::Debug for CsrfService<Inner> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfService(..)")
    }
}

/// A request that waits until its session is loaded.
struct Waiting<Inner, B> {
    inner: Inner,
    request: Request<B>,
    slot: Arc<Slot>,
    sender: Sender,
}

pin_project! {
    /// The future of a [`CsrfService`]: runs the inner service, or refuses the request. Its error is that of the inner
    /// service.
    #[must_use = "futures do nothing unless polled"]
    pub struct CsrfFuture<Inner, B>
    where
        Inner: Service<Request<B>>,
    {
        #[pin]
        stage: Stage<Inner, B>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<Inner, B>
    where
        Inner: Service<Request<B>>,
    {
        Load { load: Pin<Box<dyn Future<Output = ()> + Send>>, waiting: Option<Waiting<Inner, B>> },
        Run { #[pin] response: Inner::Future },
        Refused { refusal: Refusal },
    }
}

impl<Inner: Service<Request<B>>, B> Stage<Inner, B> {
    fn judged(inner: &mut Inner, request: Request<B>, verdict: Verdict) -> Self {
        let refusal = match (verdict, enforce(verdict)) {
            (_, Ok(())) => return Self::Run { response: inner.call(request) },
            // The token could not be checked, which is not the sender's fault (R18).
            (Verdict::Unavailable, _) => {
                let rejection = SessionRejection::StoreFailed;
                Refusal { status: rejection.status(), text: rejection.body_text() }
            }
            (_, Err(rejection)) => Refusal { status: rejection.status(), text: rejection.body_text() },
        };
        Self::Refused { refusal }
    }
}

impl<Inner, B, R> Future for CsrfFuture<Inner, B>
where
    Inner: Service<Request<B>, Response = Response<R>>,
{
    type Output = Result<Response<SessionBody<R>>, Inner::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self.project().stage;
        loop {
            match stage.as_mut().project() {
                StageProjection::Load { load, waiting } => {
                    ready!(load.as_mut().poll(context));
                    let Some(Waiting { mut inner, request, slot, sender }) = waiting.take() else {
                        return Poll::Pending;
                    };
                    stage.set(Stage::judged(&mut inner, request, judge(&slot, &sender, None)));
                }
                StageProjection::Run { response } => {
                    return response.poll(context).map_ok(|response| response.map(SessionBody::handler));
                }
                StageProjection::Refused { refusal } => {
                    return Poll::Ready(Ok(text_response(refusal.status, refusal.text)));
                }
            }
        }
    }
}

impl<Inner: Service<Request<B>>, B> fmt::Debug for CsrfFuture<Inner, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfFuture(..)")
    }
}
