//! A cookie jar in front of a service.

use std::fmt::{self, Debug};

use cookie::Cookie;
use http::header::{COOKIE, HOST};
use http::{HeaderValue, Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::Answer;

/// A cookie jar in front of a service. It keeps the cookies of responses and sends them back as a browser would (RFC
/// 6265bis), to one host.
///
/// It respects `Path`, `Secure`, the prefixes `__Host-` and `__Secure-`, and removals. It ignores `Domain`. No time passes
/// in it: a cookie stays until a response removes it, by `Max-Age` or by an `Expires` of 1970. A clone is a second browser
/// with the same cookies, for example that of a thief.
///
/// It sends requests to any tower service: an axum router, a service with layers, or a handler of
/// [`SessionConfig::service`](crate::SessionConfig::service).
///
/// ```
/// use std::convert::Infallible;
///
/// use http::{Request, Response};
/// use http_session::testing::Browser;
/// use http_session::{MemoryStore, Secret, Session, SessionConfig};
///
/// #[derive(Session)]
/// struct Visit {
///     views: u64,
/// }
///
/// async fn hello<B>(_: Request<B>, mut session: Session<Visit>) -> Result<Response<String>, Infallible> {
///     session.views += 1;
///     Ok(Response::new(format!("{} views", session.views)))
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
/// let service = sessions.service(hello::<String>);
///
/// let mut browser = Browser::new();
/// assert_eq!(browser.get(&service, "/").await.text, "1 views");
/// assert_eq!(browser.get(&service, "/").await.text, "2 views");
/// assert_eq!(Browser::new().get(&service, "/").await.text, "1 views");
/// # });
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Browser {
    plain: bool,
    jar: Vec<Kept>,
}

#[derive(Clone, PartialEq, Eq)]
struct Kept {
    name: String,
    value: String,
    path: String,
    secure: bool,
}

impl Kept {
    /// Whether the cookie is sent with a request to this path (RFC 6265, section 5.1.4).
    fn fits(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path.as_str());
        rest.is_some_and(|rest| self.path.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
    }
}

impl Browser {
    /// A browser without cookies that uses https.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A browser without cookies that uses plain http. It neither keeps nor sends `Secure` cookies.
    #[must_use]
    pub fn http() -> Self {
        Self { plain: true, jar: Vec::new() }
    }

    /// The value of a cookie, whatever its path.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.iter().find(|kept| kept.name == name).map(|kept| kept.value.as_str())
    }

    /// The names of all cookies in the jar.
    pub fn cookie_names(&self) -> impl Iterator<Item = &str> {
        self.jar.iter().map(|kept| kept.name.as_str())
    }

    /// Puts a cookie into the jar: a forged or stolen one, or that of another service. It replaces a cookie with the same
    /// name; otherwise its path is `/`.
    pub fn set_cookie(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.jar.iter_mut().find(|kept| kept.name == name) {
            Some(kept) => kept.value = value,
            None => self.jar.push(Kept { name: name.to_owned(), value, path: "/".to_owned(), secure: false }),
        }
    }

    /// Removes a cookie from the jar.
    pub fn remove_cookie(&mut self, name: &str) {
        self.jar.retain(|kept| kept.name != name);
    }

    /// The `Cookie` header for a request to this path. Cookies with longer paths come first (RFC 6265, section 5.4).
    #[must_use]
    pub fn cookie_header(&self, path: &str) -> Option<String> {
        let mut kept: Vec<&Kept> = self.jar.iter().filter(|kept| kept.fits(path)).collect();
        kept.sort_by_key(|kept| std::cmp::Reverse(kept.path.len()));
        let pairs: Vec<String> = kept.iter().map(|kept| format!("{}={}", kept.name, kept.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// A request with the cookies that belong to the path, and an empty body.
    ///
    /// # Panics
    /// `path` is not a valid path.
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> Request<String> {
        #[expect(clippy::expect_used, reason = "documented: for tests")]
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .body(String::new())
            .expect("the path of a request");
        self.with_cookies(request)
    }

    fn with_cookies<B>(&self, mut request: Request<B>) -> Request<B> {
        request.headers_mut().remove(COOKIE);
        let header = self.cookie_header(request.uri().path());
        if let Some(cookies) = header.and_then(|header| HeaderValue::from_maybe_shared(header.into_bytes()).ok()) {
            request.headers_mut().insert(COOKIE, cookies);
        }
        request
    }

    /// Puts the cookies of a response into the jar, and removes those that the response removes.
    pub fn keep(&mut self, answer: &Answer) {
        for line in answer.set_cookies() {
            if let Ok(cookie) = Cookie::parse(line) {
                self.keep_one(&cookie);
            }
        }
    }

    fn keep_one(&mut self, cookie: &Cookie<'_>) {
        let (name, secure) = (cookie.name(), cookie.secure().unwrap_or_default());
        let path = cookie.path().filter(|path| path.starts_with('/')).unwrap_or("/");
        // RFC 6265bis, section 5.7: what a browser refuses.
        let host_only = cookie.domain().is_none() && cookie.path() == Some("/");
        let refused = (secure && self.plain)
            || (name.starts_with("__Secure-") && !secure)
            || (name.starts_with("__Host-") && !(secure && host_only));
        if refused {
            return;
        }
        let place = self.jar.iter().position(|kept| kept.name == name && kept.path == path);
        if is_removal(cookie) {
            if let Some(place) = place {
                self.jar.remove(place);
            }
            return;
        }
        let kept = Kept { name: name.to_owned(), value: cookie.value().to_owned(), path: path.to_owned(), secure };
        match place.and_then(|place| self.jar.get_mut(place)) {
            Some(old) => *old = kept,
            None => self.jar.push(kept),
        }
    }

    /// Sends a request with the cookies that belong to its path, and keeps the cookies of the response. A `Cookie` header
    /// of the request is replaced.
    ///
    /// # Panics
    /// The service returns an error, or the response's body fails.
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use http::{Request, Response};
    /// # use http_session::testing::Browser;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let service = tower::service_fn(|request: Request<String>| async { Ok::<_, Infallible>(Response::new(request.into_body())) });
    /// let form = Request::post("/sign-in").body("user=ada".to_owned())?;
    /// let answer = Browser::new().send(&service, form).await;
    /// # assert_eq!(answer.text, "user=ada");
    /// # Ok::<_, http::Error>(())
    /// # })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub async fn send<S, B, R>(&mut self, service: &S, request: Request<B>) -> Answer
    where
        S: Service<Request<B>, Response = Response<R>, Error: Debug> + Clone,
        R: Body<Error: Debug>,
    {
        let answer = self.send_and_lose(service, request).await;
        self.keep(&answer);
        answer
    }

    /// Does the same as [`send`](Self::send), but the cookies of the response never arrive: the connection broke, or
    /// another tab was faster.
    ///
    /// # Panics
    /// As for [`send`](Self::send).
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use http::{Request, Response};
    /// # use http_session::testing::Browser;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let service = tower::service_fn(|_: Request<String>| async {
    /// #     Ok::<_, http::Error>(Response::builder().header("set-cookie", "a=1").body(String::new())?)
    /// # });
    /// let browser = Browser::new();
    /// let answer = browser.send_and_lose(&service, Request::get("/").body(String::new())?).await;
    /// assert!(!answer.set_cookies().is_empty() && browser == Browser::new());
    /// # Ok::<_, http::Error>(())
    /// # })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub async fn send_and_lose<S, B, R>(&self, service: &S, request: Request<B>) -> Answer
    where
        S: Service<Request<B>, Response = Response<R>, Error: Debug> + Clone,
        R: Body<Error: Debug>,
    {
        let mut service = service.clone();
        let sent = async {
            std::future::poll_fn(|context| service.poll_ready(context)).await?;
            service.call(self.with_cookies(request)).await
        };
        #[expect(clippy::expect_used, reason = "documented: for tests")]
        let response = sent.await.expect("the service failed");
        Answer::read(response).await
    }

    /// Sends a GET request to a path, and keeps the cookies of the response.
    ///
    /// # Panics
    /// As for [`send`](Self::send), or if `path` is not a valid path.
    pub async fn get<S, R>(&mut self, service: &S, path: &str) -> Answer
    where
        S: Service<Request<String>, Response = Response<R>, Error: Debug> + Clone,
        R: Body<Error: Debug>,
    {
        let answer = self.get_and_lose(service, path).await;
        self.keep(&answer);
        answer
    }

    /// Does the same as [`get`](Self::get), but the cookies of the response never arrive.
    ///
    /// # Panics
    /// As for [`get`](Self::get).
    pub async fn get_and_lose<S, R>(&self, service: &S, path: &str) -> Answer
    where
        S: Service<Request<String>, Response = Response<R>, Error: Debug> + Clone,
        R: Body<Error: Debug>,
    {
        self.send_and_lose(service, self.request(Method::GET, path)).await
    }
}

/// Whether a cookie removes itself: its lifetime is zero, or it ended at the beginning of Unix time.
fn is_removal(cookie: &Cookie<'_>) -> bool {
    match (cookie.max_age(), cookie.expires_datetime()) {
        (Some(age), _) => age.whole_seconds() <= 0,
        (None, end) => end.is_some_and(|end| end.year() <= 1970),
    }
}

/// Shows the names of the cookies, not their values.
impl Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").field("cookies", &self.cookie_names().collect::<Vec<_>>()).finish()
    }
}
