use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_session::SessionData;
use http_session::clock::ManualClock;
use http_session::config::builder::{BrowserSession, Builder, Express, WithSecret};
use http_session::middleware::SessionBody;
use http_session::record::Record;
use http_session::store::EnumerateSessions as _;
use http_session::{MemoryStore, Session, SessionConfig, SessionId, SessionStore};
use tower::{Layer as _, ServiceExt as _};

use super::{Answer, Browser, Faulty, Oops, Recording, secret};

pub type Store = Recording<Faulty<MemoryStore>>;
pub type Open = Builder<WithSecret, Store, BrowserSession>;
pub type OpenExpress = Builder<WithSecret, Store, Express>;

/// The session of most tests. It has a field for every attribute of the derive.
#[derive(Session, Debug)]
pub struct Visit {
    #[session(identity)]
    pub user: Option<String>,
    pub views: u64,
    #[session(merge = "append", keep = "sign_in")]
    pub cart: Vec<String>,
    #[session(keep)]
    pub theme: String,
    #[session(merge = "add")]
    pub hits: i64,
    #[session(merge = "reject")]
    pub state: Option<String>,
    pub notice: Option<String>,
}

/// What the handler of a test may return.
pub trait Reply {
    fn reply(self) -> Result<Response<String>, Oops>;
}

impl Reply for () {
    fn reply(self) -> Result<Response<String>, Oops> {
        Ok(Response::default())
    }
}

impl Reply for Infallible {
    fn reply(self) -> Result<Response<String>, Oops> {
        match self {}
    }
}

impl Reply for String {
    fn reply(self) -> Result<Response<String>, Oops> {
        Ok(Response::new(self))
    }
}

impl Reply for StatusCode {
    fn reply(self) -> Result<Response<String>, Oops> {
        let mut response = Response::new("from the handler".to_owned());
        *response.status_mut() = self;
        Ok(response)
    }
}

impl Reply for Response<String> {
    fn reply(self) -> Result<Response<String>, Oops> {
        Ok(self)
    }
}

impl Reply for Oops {
    fn reply(self) -> Result<Response<String>, Oops> {
        Err(self)
    }
}

impl<A: Reply, B: Reply> Reply for Result<A, B> {
    fn reply(self) -> Result<Response<String>, Oops> {
        match self {
            Ok(reply) => reply.reply(),
            Err(reply) => reply.reply(),
        }
    }
}

type Reaction = Pin<Box<dyn Future<Output = Result<Response<String>, Oops>> + Send>>;

/// The handler of one request, stored in the request's extensions.
struct Work<T: SessionData>(Arc<Mutex<Option<Handler<T>>>>);
type Handler<T> = Box<dyn FnOnce(Session<T>) -> Reaction + Send>;

impl<T: SessionData> Clone for Work<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

thread_local! {
    static UNDER_WAY: RefCell<Option<http::Extensions>> = const { RefCell::new(None) };
}

/// Returns the extensions that the handler of this thread's last request saw. They give access to its session from
/// outside the handler.
pub fn under_way() -> Option<http::Extensions> {
    UNDER_WAY.with_borrow(Clone::clone)
}

async fn run<T>(request: Request<String>, session: Session<T>) -> Result<Response<String>, Oops>
where
    T: SessionData + 'static,
{
    let work = request.extensions().get::<Work<T>>().expect("work").0.lock().unwrap().take().expect("once");
    work(session).await
}

async fn extract<T>(request: Request<String>) -> Result<Response<String>, Oops>
where
    T: SessionData + 'static,
{
    UNDER_WAY.set(Some(request.extensions().clone()));
    match Session::<T>::extract(request.extensions()).await {
        Ok(session) => run(request, session).await,
        Err(rejection) => {
            let mut response = Response::new(rejection.body_text().to_owned());
            *response.status_mut() = rejection.status();
            Ok(response)
        }
    }
}

/// How the handler is connected to the session configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// `sessions.layer()` and `Session::extract`.
    Layer,
    /// `sessions.service(handler)`.
    Service,
}

/// A configuration and its store. The store has a manual clock, records its calls, and fails when told to.
#[derive(Clone)]
pub struct Rig {
    pub clock: ManualClock,
    pub store: Store,
    pub sessions: SessionConfig<Store>,
    pub wiring: Wiring,
}

pub type Pending = Pin<Box<dyn Future<Output = Result<Response<SessionBody<String>>, Oops>>>>;

impl Rig {
    /// The default configuration, on a store that answers at once.
    pub fn new() -> Self {
        Self::with(true, Builder::build)
    }

    pub fn with(is_instant: bool, finish: impl FnOnce(Open) -> SessionConfig<Store>) -> Self {
        let clock = ManualClock::new();
        let faulty = Faulty::new(MemoryStore::new().clock(clock.clone()));
        let faulty = if is_instant { faulty.instant() } else { faulty };
        let store = Recording { is_instant, ..Recording::new(faulty) };
        let sessions = finish(SessionConfig::builder().secret(secret()).store(store.clone()).clock(clock.clone()));
        Self { clock, store, sessions, wiring: Wiring::Layer }
    }

    /// The express preset.
    pub fn express(is_instant: bool, finish: impl FnOnce(OpenExpress) -> SessionConfig<Store>) -> Self {
        let rig = Self::with(is_instant, Builder::build);
        let builder = SessionConfig::express().secret(secret()).store(rig.store.clone()).clock(rig.clock.clone());
        Self { sessions: finish(builder), ..rig }
    }

    /// Another configuration on the same store.
    pub fn another(&self, finish: impl FnOnce(Open) -> SessionConfig<Store>) -> Self {
        let builder = SessionConfig::builder().secret(secret()).store(self.store.clone()).clock(self.clock.clone());
        Self { sessions: finish(builder), ..self.clone() }
    }

    /// Prepares a request. It is sent when the returned future is first polled.
    pub fn start<T, W, F>(&self, mut request: Request<String>, work: W) -> Pending
    where
        T: SessionData + Send + 'static,
        W: FnOnce(Session<T>) -> F + Send + 'static,
        F: Future<Output: Reply> + Send + 'static,
    {
        let handler: Handler<T> = Box::new(move |session| Box::pin(async move { work(session).await.reply() }));
        request.extensions_mut().insert(Work(Arc::new(Mutex::new(Some(handler)))));
        match self.wiring {
            Wiring::Layer => Box::pin(self.sessions.layer().layer(tower::service_fn(extract::<T>)).oneshot(request)),
            Wiring::Service => Box::pin(tower::Service::call(&mut self.sessions.service(run::<T>), request)),
        }
    }

    /// Prepares a request whose handler extracts its sessions itself.
    pub fn raw<W, F>(&self, request: Request<String>, work: W) -> Pending
    where
        W: Fn(Request<String>) -> F + Clone + Send + 'static,
        F: Future<Output: Reply> + Send + 'static,
    {
        let service = tower::service_fn(move |request: Request<String>| {
            UNDER_WAY.set(Some(request.extensions().clone()));
            let work = work(request);
            async move { work.await.reply() }
        });
        Box::pin(self.sessions.layer().layer(service).oneshot(request))
    }

    /// Sends a request. An error comes from the inner service.
    pub async fn send<T, W, F>(&self, request: Request<String>, work: W) -> Result<Answer, Oops>
    where
        T: SessionData + Send + 'static,
        W: FnOnce(Session<T>) -> F + Send + 'static,
        F: Future<Output: Reply> + Send + 'static,
    {
        Ok(Answer::read(self.start(request, work).await?).await)
    }

    /// Sends a request and keeps the cookies of the response in the browser.
    pub async fn visit<T, W, F>(&self, browser: &mut Browser, work: W) -> Answer
    where
        T: SessionData + Send + 'static,
        W: FnOnce(Session<T>) -> F + Send + 'static,
        F: Future<Output: Reply> + Send + 'static,
    {
        let answer = self.ask(browser, work).await;
        browser.keep(&answer);
        answer
    }

    /// Sends a request whose response never reaches the browser.
    pub async fn ask<T, W, F>(&self, browser: &Browser, work: W) -> Answer
    where
        T: SessionData + Send + 'static,
        W: FnOnce(Session<T>) -> F + Send + 'static,
        F: Future<Output: Reply> + Send + 'static,
    {
        self.send(browser.request(Method::GET, "/"), work).await.expect("no inner error")
    }

    /// Returns a browser that is signed in, with a value in several fields.
    pub async fn signed_in(&self, user: &'static str) -> Browser {
        let mut browser = Browser::default();
        self.visit(&mut browser, async move |mut s: Session<Visit>| {
            s.sign_in(user.to_owned());
            fill(&mut s);
        })
        .await;
        self.store.take_calls();
        browser
    }

    /// Returns a browser with an anonymous session, with a value in several fields.
    pub async fn anonymous(&self) -> Browser {
        let mut browser = Browser::default();
        self.visit(&mut browser, async |mut s: Session<Visit>| fill(&mut s)).await;
        self.store.take_calls();
        browser
    }

    /// Describes the content of the browser's session, as in `"ada v1 [apple] dark"`. This is no activity, and the
    /// browser keeps its cookies.
    pub async fn seen(&self, browser: &Browser) -> String {
        let seen = async |mut s: Session<Visit>| {
            s.passive();
            if s.is_new() {
                return "none".to_owned();
            }
            let user = s.user.as_deref().unwrap_or("-");
            format!("{user} v{} {:?} {}", s.views, s.cart, s.theme)
        };
        let text = self.ask(browser, seen).await.text;
        self.store.take_calls();
        text
    }

    /// Returns the ids of all stored sessions.
    pub async fn ids(&self) -> Vec<SessionId> {
        self.store.inner.store().ids(None, 1000).await.expect("ids").ids
    }

    /// Returns the only stored session.
    pub async fn only_record(&self) -> Record {
        let ids = self.ids().await;
        assert_eq!(ids.len(), 1, "exactly one session is stored");
        self.record(&ids[0]).await.expect("a record")
    }

    pub async fn record(&self, id: &SessionId) -> Option<Record> {
        self.store.inner.store().load(id).await.expect("the memory store")
    }
}

fn fill(session: &mut Session<Visit>) {
    session.views = 1;
    session.cart.push("apple".to_owned());
    session.theme = "dark".to_owned();
}

pub const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
