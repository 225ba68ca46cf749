//! `sessions.csrf_layer()`.

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
use crate::request::slot::CurrentSlot;
use crate::request::slot::Slot;
use crate::session::csrf::{enforce, judge};
use crate::stages::load;
use crate::stages::receive::Refusal;
use http_session_store::SessionStore;

/// A tower layer that refuses requests from other sites' pages (R24). Made by [`SessionConfig::csrf_layer`].
///
/// ```
/// # use http::{Request, Response};
/// # use http_session::{MemoryStore, Secret, SessionConfig};
/// use tower::{ServiceBuilder, service_fn};
///
/// let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
/// let hello = service_fn(async |_: Request<String>| Ok::<_, ()>(Response::new("hello".to_owned())));
/// let service = ServiceBuilder::new().layer(sessions.layer()).layer(sessions.csrf_layer()).service(hello);
/// ```
#[doc(alias = "CrossOriginProtection")]
#[derive(Clone)]
pub struct CsrfLayer {
    config: Arc<ErasedConfig>,
}

impl<S: SessionStore> SessionConfig<S> {
    /// A layer that lets only requests from this site's own pages change something (R24): 403 for others. It belongs inside
    /// of [`layer`](Self::layer); without that, every request is a 500 that says so.
    ///
    /// GET, HEAD, OPTIONS and TRACE pass, but for the beginning of a WebSocket. Of other requests first
    /// `Sec-Fetch-Site` and `Origin` decide, without any look at the session. Where a browser sends neither, a
    /// [token](crate::Csrf::token) of the session in the header `x-csrf-token` does; when the store is down then, 503. Bodies
    /// are not read: for forms in browsers that old, leave the layer off their route and call
    /// [`Csrf::check`](crate::Csrf::check) in the handler. The [chapter](crate::guide::csrf) has the whole table.
    ///
    /// ```
    /// use axum::Router;
    /// use http_session::{MemoryStore, Secret, SessionConfig};
    ///
    /// let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    /// // Of axum's layers the last one is the outermost.
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

/// A service behind the protection against cross-site request forgery. Made by [`CsrfLayer`].
///
/// The inner service's error type is left as it is: refusals are responses.
///
/// ```
/// use http_session::csrf::CsrfService;
/// use tower::Layer;
/// # use http_session::{MemoryStore, Secret, SessionConfig};
/// # let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
///
/// let service: CsrfService<&str> = sessions.csrf_layer().layer("the inner service");
/// ```
#[derive(Clone)]
pub struct CsrfService<Inner> {
    inner: Inner,
    config: Arc<ErasedConfig>,
}

impl<Inner> CsrfService<Inner> {
    /// The inner service.
    ///
    /// ```
    /// # use tower::Layer;
    /// # use http_session::{MemoryStore, Secret, SessionConfig};
    /// # let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    /// assert_eq!(sessions.csrf_layer().layer("the inner service").into_inner(), "the inner service");
    /// ```
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
        // Read anew: what stands between the two layers may have changed it.
        let sender = {
            let settings = &self.config.settings;
            Sender::of(&request, &settings.trusted_origins, &settings.csrf_header, slot.received.transport)
        };
        let stage = match sender {
            Sender::Known(verdict) => Stage::judged(&mut self.inner, request, verdict),
            // The promise to answer at once makes this one poll.
            Sender::Unknown(_) if self.config.store().is_instant() => {
                let _ = pin!(load::load(&slot)).poll(&mut Context::from_waker(Waker::noop()));
                Stage::judged(&mut self.inner, request, judge(&slot, &sender, None))
            }
            Sender::Unknown(_) => {
                // The one that is ready.
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

/// So that no `Debug` of the request shows a token (R26).
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

/// A request whose session is on its way.
struct Waiting<Inner, B> {
    inner: Inner,
    request: Request<B>,
    slot: Arc<Slot>,
    sender: Sender,
}

pin_project! {
    /// Runs the inner service, or refuses. Its error is the inner service's own.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use http_session::csrf::{CsrfFuture, CsrfService};
    /// use tower::Service;
    ///
    /// fn call<S>(service: &mut CsrfService<S>, request: Request<String>) -> CsrfFuture<S, String>
    /// where
    ///     S: Service<Request<String>, Response = Response<String>> + Clone,
    /// {
    ///     service.call(request)
    /// }
    /// ```
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
