//! All that a builder collects, without its type-state.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::request::Parts;

use super::policy::{Activity, StoredAttributes};
use super::{Cookie, Secret, TrustedProxy};
use crate::clock::{Clock, SystemClock};
use crate::cookie::SessionCookie;
use crate::cookie::attributes::Attributes;
use crate::csrf::{self, TrustedOrigin};
use crate::decide::Policy;
use crate::record::{Extent, Lifetime, VerifierHash};
use crate::session::changes::Verifier;
use crate::store::ErasedIndex;
use crate::token::express::IdShape;

/// The format of cookies and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Native,
    Express,
}

impl Format {
    /// What a record keeps of a verifier. In the express format the id is the credential, and records have none.
    pub(crate) fn verifier_hash(self, verifier: &Verifier) -> VerifierHash {
        match self {
            Self::Native => crate::token::verifier_hash(verifier),
            Self::Express => VerifierHash([1; 32]),
        }
    }

    /// Whether rotation is a new record.
    pub(crate) const fn renames(self) -> bool {
        matches!(self, Self::Express)
    }
}

/// How long a session may live (R7; OWASP: idle and absolute timeout). The configuration's are given to
/// [`Builder::idle`](crate::config::Builder::idle) and [`absolute`](crate::config::Builder::absolute), those of one session to
/// [`Session::set_lifetimes`](crate::session::Session::set_lifetimes).
///
/// ```
/// use std::time::Duration;
/// use http_session::Lifetimes;
///
/// const DAY: Duration = Duration::from_secs(24 * 3600);
/// let remembered = Lifetimes { idle: 30 * DAY, absolute: 180 * DAY };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Without activity.
    pub idle: Duration,
    /// In all, from the last sign-in or sign-out, before one from creation.
    pub absolute: Duration,
}

impl Lifetimes {
    pub(crate) const fn lifetime(self, extent: Extent) -> Lifetime {
        let lifetime = Lifetime::new(self.idle, self.absolute);
        match extent {
            Extent::Extend => lifetime,
            Extent::Set => lifetime.set(),
        }
    }

    /// A session that dies at once would have a cookie and no record (R12).
    pub(crate) fn at_least_a_moment(self) -> Self {
        Self { idle: self.idle.max(MOMENT), absolute: self.absolute.max(MOMENT) }
    }
}

const MOMENT: Duration = Duration::from_millis(1);

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
    pub(crate) store_timeout: Duration,
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
    /// Today's right defaults.
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
            store_timeout: Duration::from_secs(5),
            proxy: None,
            csrf_header: HeaderName::from_static(csrf::HEADER),
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

    /// The lifetimes: `max_age` stands in for an idle lifetime that is not given.
    pub(super) fn lifetimes(&self) -> Lifetimes {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let idle = self.idle.or(self.attributes.max_age).unwrap_or(DAY);
        Lifetimes { idle, absolute: self.absolute }.at_least_a_moment()
    }

    /// How long a session lives whose cookie has not come back yet (R14).
    pub(crate) fn unconfirmed(&self) -> Duration {
        self.unconfirmed.max(MOMENT)
    }
}
