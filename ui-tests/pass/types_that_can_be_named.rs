// A program can name each type that it stores in a struct or returns.
#![deny(warnings)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::OnceLock;

use http::{Request, Response};
use http_session::config::builder::Builder;
use http_session::config::builder::{BrowserSession, MaxAge, NoStore, WithSecret};
use http_session::csrf::{CsrfFuture, CsrfLayer, CsrfService};
use http_session::middleware::{
    HandlerFuture, ResponseFuture, SessionBody, SessionHandler, SessionLayer, SessionService,
};
use http_session::{Csrf, CsrfToken, MemoryStore, Secret, Session, SessionConfig};
use tower::{Layer, Service};

#[derive(Session)]
struct Visit {
    views: u64,
}

type Answer = Ready<Result<Response<u64>, Infallible>>;
type Handler = fn(Request<()>, Session<Visit>) -> Answer;

struct App<Inner> {
    sessions: SessionConfig<MemoryStore>,
    layer: SessionLayer,
    service: SessionService<Inner>,
    handler: SessionHandler<Handler, Session<Visit>>,
    csrf_layer: CsrfLayer,
    guarded: CsrfService<Inner>,
}

#[derive(Clone)]
struct Inner;

impl Service<Request<()>> for Inner {
    type Response = Response<u64>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Answer {
        ready(Ok(Response::new(1)))
    }
}

impl App<Inner> {
    fn call(&mut self, request: Request<()>) -> ResponseFuture<Answer> {
        self.service.call(request)
    }

    fn guard(&mut self, request: Request<()>) -> CsrfFuture<Inner, ()> {
        self.guarded.call(request)
    }

    fn handle(&self, request: Request<()>) -> HandlerFuture<Handler, Session<Visit>, (), Answer> {
        hyper::service::Service::call(&self.handler, request)
    }
}

fn hello(_: Request<()>, session: Session<Visit>) -> Answer {
    ready(Ok(Response::new(session.views)))
}

fn token(csrf: &Csrf) -> Option<CsrfToken> {
    csrf.token()
}

fn builder() -> Builder<WithSecret, NoStore, BrowserSession> {
    SessionConfig::builder().secret(Secret::random())
}

fn lasting(builder: Builder<WithSecret, NoStore, BrowserSession>) -> Builder<WithSecret, NoStore, MaxAge> {
    builder.max_age(std::time::Duration::from_secs(3600))
}

fn body_of(response: Response<SessionBody<u64>>) -> SessionBody<u64> {
    response.into_body()
}

static SESSIONS: OnceLock<SessionConfig<MemoryStore>> = OnceLock::new();

fn is_shared<T: Send + Sync + Clone + std::fmt::Debug + 'static>(_: &T) {}

fn main() {
    let sessions = SESSIONS.get_or_init(|| lasting(builder()).store(MemoryStore::new()).build()).clone();
    let layer = sessions.layer();
    let handler = sessions.service(hello as Handler);
    let csrf_layer = sessions.csrf_layer();
    let guarded = csrf_layer.layer(Inner);
    let mut app = App { service: layer.layer(Inner), sessions, layer, handler, csrf_layer, guarded };
    is_shared(&app.sessions);
    is_shared(&app.layer);
    is_shared(&app.service);
    is_shared(&app.handler);
    is_shared(&app.csrf_layer);
    is_shared(&app.guarded);
    drop(app.call(Request::new(())));
    drop(app.guard(Request::new(())));
    drop(app.handle(Request::new(())));
    let _ = (body_of, token);
    let Inner = app.guarded.into_inner();
    let Inner = app.service.into_inner();
}
