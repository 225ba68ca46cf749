//! What a request says about where it comes from. Any bytes are accepted, and nothing here fails.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use super::origin::{TrustedOrigin, is_own};
use super::verdict::{Relation, Source, Verdict, by_origin};
use crate::cookie::list::elements;
use crate::cookie::transport::Transport;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request says about the page that sent it.
pub(crate) enum Sender {
    /// The request changes nothing, or its headers are enough to decide.
    Known(Verdict),
    /// A token decides. Contains the one in the header, if there is one.
    Unknown(Option<HeaderValue>),
}

impl Sender {
    pub(crate) fn of<B>(
        request: &Request<B>,
        trusted: &[TrustedOrigin],
        token_header: &HeaderName,
        transport: Option<Transport>,
    ) -> Self {
        let head = Head { method: request.method(), uri: request.uri(), headers: request.headers() };
        if head.is_safe() {
            return Self::Known(Verdict::Pass);
        }
        match by_origin(head.relation(), head.source(trusted, transport)) {
            Some(verdict) => Self::Known(verdict),
            None => Self::Unknown(head.token(token_header)),
        }
    }
}

/// A request without its body.
#[derive(Clone, Copy)]
struct Head<'r> {
    method: &'r Method,
    uri: &'r Uri,
    headers: &'r HeaderMap,
}

impl<'r> Head<'r> {
    /// Whether the method promises not to change anything (RFC 9110, section 9.2.1).
    ///
    /// A WebSocket begins with a GET but is not safe: pages of other sites can open one, and the browser sends our
    /// cookies with it (RFC 6455, section 10.2).
    fn is_safe(self) -> bool {
        let is_safe = matches!(*self.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
        is_safe && !self.opens_web_socket()
    }

    fn opens_web_socket(self) -> bool {
        let upgrades = self.headers.get_all(header::UPGRADE).iter();
        let mut protocols = upgrades.flat_map(|line| elements(line.as_bytes(), b','));
        protocols.any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
    }

    fn relation(self) -> Relation {
        match self.only(&SEC_FETCH_SITE) {
            Value::None => Relation::Absent,
            Value::One(b"same-origin") => Relation::SameOrigin,
            Value::One(b"same-site") => Relation::SameSite,
            Value::One(b"cross-site") => Relation::CrossSite,
            Value::One(b"none") => Relation::UserInitiated,
            Value::One(_) | Value::Several => Relation::Other,
        }
    }

    fn source(self, trusted: &[TrustedOrigin], transport: Option<Transport>) -> Source {
        match self.only(&header::ORIGIN) {
            Value::None => Source::Absent,
            Value::One(b"null") => Source::Null,
            Value::One(origin) if trusted.iter().any(|trusted| trusted.as_str().as_bytes() == origin) => {
                Source::Trusted
            }
            Value::One(origin) if self.host().is_some_and(|host| is_own(origin, host, transport)) => Source::Own,
            Value::One(_) | Value::Several => Source::Foreign,
        }
    }

    /// The host that the request names in its target, otherwise in its only `Host` (RFC 9112, section 3.2.2; RFC 9113,
    /// section 8.3.1).
    fn host(self) -> Option<&'r [u8]> {
        match (self.uri.authority(), self.only(&header::HOST)) {
            (Some(authority), _) => Some(authority.as_str().as_bytes()),
            (None, Value::One(host)) => Some(host),
            (None, Value::None | Value::Several) => None,
        }
    }

    /// The token header. If it comes more than once, it counts as an invalid token.
    fn token(self, header: &HeaderName) -> Option<HeaderValue> {
        match self.only(header) {
            Value::None => None,
            Value::One(_) => self.headers.get(header).cloned(),
            Value::Several => Some(const { HeaderValue::from_static("") }),
        }
    }

    fn only(self, name: &HeaderName) -> Value<'r> {
        let mut values = self.headers.get_all(name).iter().map(HeaderValue::as_bytes);
        match (values.next(), values.next()) {
            (None, _) => Value::None,
            (Some(value), None) => Value::One(value),
            (Some(_), Some(_)) => Value::Several,
        }
    }
}

/// The values of a header that must not come more than once.
enum Value<'h> {
    None,
    One(&'h [u8]),
    Several,
}
