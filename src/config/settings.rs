//! The values that a builder collects, without its type parameters.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::request::Parts;

use super::policy::{Activity, StoredAttributes};
use super::{Cookie, TrustedProxy};
use crate::cookie::SessionCookie;
use crate::cookie::attributes::Attributes;
use crate::decide::Policy;
use crate::forgery::{self, TrustedOrigin};
use crate::store::ErasedIndex;
use crate::token::Format;
use crate::token::Secret;
use crate::token::express::IdShape;
use http_session_store::clock::{Clock, SystemClock};
use http_session_store::record::{Extent, Lifetime};

/// How long a session may live (OWASP: idle and absolute timeout).
///
/// [`Builder::idle`](crate::config::builder::Builder::idle) and
/// [`Builder::absolute`](crate::config::builder::Builder::absolute) set the lifetimes for a configuration, and
/// [`Session::set_lifetimes`](crate::Session::set_lifetimes) for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lifetimes {
    /// The time without activity after which the session ends.
    pub idle: Duration,
    /// The time after which the session ends whatever its activity. It counts from the last sign-in or sign-out, or
    /// from the session's creation if there was neither.
    pub absolute: Duration,
}

impl Lifetimes {
    /// Both lifetimes. Each is at least a millisecond.
    #[must_use]
    pub const fn new(idle: Duration, absolute: Duration) -> Self {
        Self { idle, absolute }
    }

    pub(crate) const fn lifetime(self, extent: Extent) -> Lifetime {
        let lifetime = Lifetime::new(self.idle, self.absolute);
        match extent {
            Extent::Extend => lifetime,
            Extent::Set => lifetime.set(),
        }
    }

    /// A session with a lifetime of zero would get a cookie, but have no record (R12).
    pub(crate) fn at_least_a_moment(self) -> Self {
        Self { idle: self.idle.max(SHORTEST_LIFETIME), absolute: self.absolute.max(SHORTEST_LIFETIME) }
    }
}

const SHORTEST_LIFETIME: Duration = Duration::from_millis(1);

pub(crate) type CookieRules = Box<dyn Fn(&Parts, &mut SessionCookie) + Send + Sync>;
pub(crate) type Fingerprint = Box<dyn Fn(&Parts) -> Vec<u8> + Send + Sync>;
pub(crate) type GenerateId = Box<dyn Fn(&Parts) -> String + Send + Sync>;

pub(crate) struct Settings {
    pub(crate) format: Format,
    pub(crate) previous_secrets: Vec<Secret>,
    pub(crate) attributes: Attributes,
    pub(crate) cookie_rules: Option<CookieRules>,
    pub(crate) stored_attributes: StoredAttributes,
    pub(crate) scope: String,
    pub(crate) policy: Policy,
    pub(crate) activity: Activity,
    pub(crate) idle: Option<Duration>,
    pub(crate) absolute: Duration,
    pub(super) unconfirmed: Duration,
    pub(crate) touch_throttle: u8,
    pub(crate) renew_after: Option<Duration>,
    pub(crate) late_window: Duration,
    pub(crate) record_limit: usize,
    pub(crate) store_time_limit: Duration,
    pub(crate) proxy: Option<TrustedProxy>,
    pub(crate) csrf_header: HeaderName,
    pub(crate) trusted_origins: Vec<TrustedOrigin>,
    pub(crate) ignored_paths: Vec<String>,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) generate_id: Option<GenerateId>,
    pub(crate) id_shape: IdShape,
    pub(crate) development: bool,
    pub(crate) index: Option<Arc<dyn ErasedIndex>>,
    pub(crate) clock: Box<dyn Clock>,
}

impl Settings {
    /// The defaults of [`SessionConfig::builder`](super::SessionConfig::builder).
    pub(super) fn new() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            format: Format::Native,
            previous_secrets: Vec::new(),
            attributes: Cookie::host(crate::cookie_name!("sid")).into_attributes(),
            cookie_rules: None,
            stored_attributes: StoredAttributes::Narrow,
            scope: String::new(),
            policy: Policy::default(),
            activity: Activity::Loaded,
            idle: None,
            absolute: 30 * 24 * HOUR,
            unconfirmed: Duration::from_secs(600),
            touch_throttle: 10,
            renew_after: None,
            late_window: Duration::from_secs(60),
            record_limit: 64 * 1024,
            store_time_limit: Duration::from_secs(5),
            proxy: None,
            csrf_header: HeaderName::from_static(forgery::HEADER),
            trusted_origins: Vec::new(),
            ignored_paths: Vec::new(),
            fingerprint: None,
            generate_id: None,
            id_shape: IdShape::Strict,
            development: false,
            index: None,
            clock: Box::new(SystemClock::new()),
        }
    }

    /// The configured lifetimes. Without `idle`, `max_age` is the idle lifetime.
    pub(super) fn lifetimes(&self) -> Lifetimes {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let idle = self.idle.or(self.attributes.max_age).unwrap_or(DAY);
        Lifetimes { idle, absolute: self.absolute }.at_least_a_moment()
    }

    /// The lifetime of an anonymous session until its cookie comes back for the first time (R14).
    pub(crate) fn unconfirmed(&self) -> Duration {
        self.unconfirmed.max(SHORTEST_LIFETIME)
    }
}
