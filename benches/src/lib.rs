//! What is measured: the same requests, answered by a bare handler, by this library and by its peers.
//!
//! The binaries `allocations`, `instructions` and `time` measure it, each in its own way.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, HOST, HeaderValue, SET_COOKIE};
use http::{Request, Response};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use tower::Service;

mod ours;
mod peers;

/// The session of every contender: five fields, five allocations when it is decoded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, http_session::Session)]
pub struct Visit {
    #[session(keep)]
    views: u64,
    #[session(identity)]
    user: Option<u64>,
    #[session(keep)]
    theme: String,
    #[session(keep)]
    locale: String,
    #[session(keep)]
    cart: Vec<String>,
}

impl Visit {
    /// Somebody's.
    #[must_use]
    pub fn example() -> Self {
        Self {
            views: 1,
            user: Some(7),
            theme: "dark".to_owned(),
            locale: "en-GB".to_owned(),
            cart: vec!["apples".to_owned(), "pears".to_owned()],
        }
    }

    /// Counts a view.
    pub const fn visited(&mut self) {
        self.views += 1;
    }
}

/// What a request does with its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Nobody asks for it; the browser sends its cookie all the same.
    Untouched,
    /// The handler reads it.
    Read,
    /// The handler counts a view.
    Modify,
    /// The same, and the response carries the cookie again.
    Rolling,
    /// Another user signs in: a new secret in the cookie.
    SignIn,
    /// A new visitor, and five fields to store.
    Create,
    /// A cookie of the right shape whose signature is wrong.
    Forged,
}

impl Case {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 7] =
        [Self::Untouched, Self::Read, Self::Modify, Self::Rolling, Self::SignIn, Self::Create, Self::Forged];

    /// For the command line and the tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Read => "read",
            Self::Modify => "modify",
            Self::Rolling => "rolling",
            Self::SignIn => "sign-in",
            Self::Create => "create",
            Self::Forged => "forged",
        }
    }
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// The handler alone.
    Bare,
    /// `sessions.service(handler)` on the memory store.
    Service,
    /// `sessions.layer()` on the memory store; the request's extension map is empty.
    Layer,
    /// `sessions.service(handler)` on a store that waits once at each call.
    ServiceWaiting,
    /// `sessions.layer()` on a store that waits once at each call.
    LayerWaiting,
    /// tower-sessions on its memory store, with signed cookies.
    TowerSessions,
}

impl Contender {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 6] =
        [Self::Bare, Self::Service, Self::Layer, Self::ServiceWaiting, Self::LayerWaiting, Self::TowerSessions];

    /// For the command line and the tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Service => "service",
            Self::Layer => "layer",
            Self::ServiceWaiting => "service-waiting",
            Self::LayerWaiting => "layer-waiting",
            Self::TowerSessions => "tower-sessions",
        }
    }

    /// A program that answers this case's requests; `None` where the case cannot be.
    #[must_use]
    pub fn prepare(self, case: Case) -> Option<Program> {
        // A handler that takes a session as an argument has asked for it.
        if matches!(self, Self::Service | Self::ServiceWaiting) && case == Case::Untouched {
            return None;
        }
        let mut program = match self {
            Self::Bare => Program::new(bare(case)),
            Self::Service => ours::service(case, ours::memory()),
            Self::Layer => ours::layer(case, ours::memory()),
            Self::ServiceWaiting => ours::service(case, ours::waiting()),
            Self::LayerWaiting => ours::layer(case, ours::waiting()),
            Self::TowerSessions => peers::tower_sessions(case),
        };
        program.follows = case == Case::SignIn;
        if self == Self::Bare && case != Case::Create {
            program.cookie = Some(HeaderValue::from_static(LIKE_OURS));
        }
        if case == Case::Create {
            program.cookie = None;
        }
        if case == Case::Forged {
            program.cookie = program.cookie.as_ref().map(forged);
        }
        Some(program)
    }
}

/// As long as our cookie.
const LIKE_OURS: &str =
    "__Host-sid=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The cookie with another signature, wherever in the value that stands.
fn forged(cookie: &HeaderValue) -> HeaderValue {
    let mut bytes = cookie.as_bytes().to_vec();
    let start = bytes.iter().position(|&byte| byte == b'=').map_or(0, |at| at + 1);
    let middle = start + (bytes.len() - start) / 4;
    for byte in bytes.iter_mut().skip(middle).filter(|byte| byte.is_ascii_alphabetic()).take(1) {
        *byte = if *byte == b'A' { b'B' } else { b'A' };
    }
    HeaderValue::from_bytes(&bytes).expect("a cookie is a header")
}

/// The body of requests and responses.
pub type Body = Full<Bytes>;

type Call = Box<dyn FnMut(Request<Body>) -> Response<()>>;

/// A contender, ready for the requests of one case.
#[expect(missing_debug_implementations, reason = "a closure")]
pub struct Program {
    call: Call,
    cookie: Option<HeaderValue>,
    follows: bool,
}

impl Program {
    fn new(call: Call) -> Self {
        Self { call, cookie: None, follows: false }
    }

    /// The next request.
    #[must_use]
    pub fn request(&self) -> Request<Body> {
        let mut request = Request::new(Body::default());
        request.headers_mut().insert(HOST, HeaderValue::from_static("www.example.com"));
        if let Some(cookie) = &self.cookie {
            // As a server reads it: a copy of its own.
            let cookie = HeaderValue::from_bytes(cookie.as_bytes()).expect("a cookie is a header");
            request.headers_mut().insert(COOKIE, cookie);
        }
        request
    }

    /// Answers a request; the handler consumes it.
    pub fn answer(&mut self, request: Request<Body>) -> Response<()> {
        (self.call)(request)
    }

    /// What a browser does with the response.
    pub fn receive(&mut self, response: &Response<()>) {
        assert!(response.status().is_success(), "{}", response.status());
        if self.follows
            && let Some(cookie) = cookie_of(response)
        {
            self.cookie = Some(cookie);
        }
    }

    /// One request, from making it to the browser.
    pub fn run(&mut self) {
        let request = self.request();
        let response = self.answer(request);
        self.receive(&response);
    }

    /// Whether the case does what its name says.
    ///
    /// # Panics
    /// It does not.
    pub fn check(&mut self, contender: Contender, case: Case) {
        let request = self.request();
        let response = self.answer(request);
        let sets_cookie = response.headers().contains_key(SET_COOKIE);
        let should = match (contender, case) {
            (Contender::Bare, _) => false,
            // tower-sessions sends the cookie with every change.
            (Contender::TowerSessions, Case::Modify) => true,
            (_, case) => matches!(case, Case::Rolling | Case::SignIn | Case::Create),
        };
        let is_removal = response.headers().get(SET_COOKIE).is_some_and(|cookie| contains(cookie, b"Max-Age=0"));
        assert!(is_removal || sets_cookie == should, "{} {}: {response:?}", contender.name(), case.name());
        self.receive(&response);
    }
}

fn contains(header: &HeaderValue, text: &[u8]) -> bool {
    header.as_bytes().windows(text.len()).any(|window| window == text)
}

/// The `Cookie` header that follows from a `Set-Cookie`.
fn cookie_of(response: &Response<()>) -> Option<HeaderValue> {
    let set_cookie = response.headers().get(SET_COOKIE)?.as_bytes();
    let pair = set_cookie.split(|&byte| byte == b';').next()?;
    HeaderValue::from_bytes(pair).ok()
}

/// A service as a closure. The futures of all contenders need no waking.
fn call<S, B>(mut service: S) -> Call
where
    S: Service<Request<Body>, Response = Response<B>, Error = std::convert::Infallible> + 'static,
{
    Box::new(move |request| match block_on(service.call(request)) {
        Ok(response) => response.map(drop),
        Err(never) => match never {},
    })
}

/// Polls until it is ready.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// What every handler answers.
fn answer() -> Response<Body> {
    let mut response = Response::new(Body::from("hello"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn bare(case: Case) -> Call {
    call(tower::service_fn(move |request: Request<Body>| async move {
        drop(request);
        if case == Case::Create {
            black_box(Visit::example());
        }
        Ok(answer())
    }))
}
