//! The configuration as the middleware uses it.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use http::request::Parts;
use rand::Rng as _;

use super::settings::{Format, Lifetimes, Settings};
use super::{Activity, Resave, SaveUninitialized, Secret, StoredAttributes, Transport, path};
use crate::cookie::SessionCookie;
use crate::cookie::attributes::{Resolved, SecureRule};
use crate::cookie::session_cookie::{Refused, exact, narrow};
use crate::cookie::set_cookie::{self, Expiry};
use crate::csrf::CsrfKeys;
use crate::decide::Origin;
use crate::record::{Epoch, IdentityChange, RawJson};
use crate::session::changes::{Live, Verifier};
use crate::session::slot::Slot;
use crate::store::{ErasedIndex, ErasedStore};
use crate::store::{SELECTOR_BYTES, SessionId};
use crate::telemetry::{self, TagKey};
use crate::token::express::ExpressKeys;
use crate::token::{Keys, TEXT_BYTES, Token, TokenText};

/// The keys of the configured format.
pub(crate) enum CookieKeys {
    Native(Keys),
    Express(ExpressKeys),
}

/// What one session has of its own instead of the configured lifetimes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnLifetimes {
    idle: Option<Duration>,
    absolute: Option<Duration>,
}

/// The configuration as the middleware uses it, without the store's type.
pub(crate) struct Core {
    store: Arc<dyn ErasedStore>,
    keys: CookieKeys,
    pub(crate) csrf: CsrfKeys,
    pub(crate) tags: TagKey,
    lifetimes: Lifetimes,
    pub(crate) settings: Settings,
}

impl Core {
    pub(super) fn new(secret: &Secret, store: Arc<dyn ErasedStore>, mut settings: Settings) -> Self {
        // The secrets themselves are wiped as soon as there are keys.
        let previous = &mem::take(&mut settings.previous_secrets);
        let name = settings.attributes.name.as_str();
        let keys = match settings.format {
            Format::Native => CookieKeys::Native(Keys::new(secret, previous, name, &settings.scope)),
            Format::Express => CookieKeys::Express(ExpressKeys::new(secret, previous, settings.id_shape)),
        };
        let csrf = CsrfKeys::new(secret, previous, name, &settings.scope);
        let tags = TagKey::new(secret, name, &settings.scope);
        settings.policy.can_touch = store.can_touch();
        telemetry::describe();
        Self { store, keys, csrf, tags, lifetimes: settings.lifetimes(), settings }
    }

    pub(crate) fn store(&self) -> &dyn ErasedStore {
        &*self.store
    }

    /// The index, where the configuration has one (R28).
    pub(crate) fn index(&self) -> Option<&dyn ErasedIndex> {
        self.settings.index.as_deref()
    }

    pub(crate) fn keys(&self) -> &CookieKeys {
        &self.keys
    }

    /// Time since some fixed moment.
    pub(crate) fn elapsed(&self) -> Duration {
        self.settings.clock.elapsed()
    }

    /// Fills a buffer from the thread's cryptographic generator, which the operating system seeds.
    pub(crate) fn random(&self, buffer: &mut [u8]) {
        rand::rng().fill_bytes(buffer);
    }

    /// An id for a new session; `None` when the application's generator gave none of the allowed shape.
    pub(crate) fn generate_id(&self, parts: Option<&Parts>) -> Option<SessionId> {
        match (self.settings.format, &self.settings.generate_id, parts) {
            (Format::Native, _, _) => {
                let mut selector = [0; SELECTOR_BYTES];
                self.random(&mut selector);
                Some(SessionId::from_selector(&selector))
            }
            (Format::Express, Some(generate), Some(parts)) => {
                let id = self.settings.id_shape.session_id(&generate(parts));
                if id.is_none() {
                    telemetry::invalid_id();
                }
                id
            }
            (Format::Express, _, _) => {
                // As express-session's uid-safe: 24 bytes, 32 characters.
                let mut bytes = [0; 24];
                self.random(&mut bytes);
                SessionId::try_from(URL_SAFE_NO_PAD.encode(bytes).as_str()).ok()
            }
        }
    }

    /// Whether a cookie's value of this length can be one of ours at all.
    pub(crate) const fn is_cookie_length(&self, length: usize) -> bool {
        match self.settings.format {
            Format::Native => length == TEXT_BYTES,
            // An id of 1,024 bytes, percent-encoded, and its signature.
            Format::Express => length <= 4096,
        }
    }

    /// Whether the request must be kept beside the slot.
    pub(crate) fn needs_parts(&self) -> bool {
        self.settings.generate_id.is_some()
            || self.settings.cookie_rules.is_some()
            || self.settings.fingerprint.is_some()
    }

    pub(crate) fn fingerprint(&self, parts: &Parts) -> Option<Vec<u8>> {
        self.settings.fingerprint.as_ref().map(|fingerprint| fingerprint(parts))
    }

    pub(crate) fn cookie_name(&self) -> &str {
        self.settings.attributes.name.as_str()
    }

    /// Whether a request to this path has a session (R22).
    pub(crate) fn covers(&self, path: &str) -> bool {
        path::covers(self.settings.attributes.path.as_str(), path)
            && !self.settings.ignored_paths.iter().any(|ignored| ignored == path)
    }

    /// Whether the session is loaded even if nobody asks for it.
    pub(crate) fn loads_always(&self) -> bool {
        self.settings.activity == Activity::Presented
            || self.settings.policy.resave == Resave::Always
            || self.settings.policy.save_uninitialized == SaveUninitialized::Always
    }

    /// Time left, by what was loaded or written last.
    pub(crate) fn time_left(&self, live: &Live) -> Duration {
        match live.origin {
            Origin::Found => live.record.expires_in,
            Origin::New | Origin::Late | Origin::Tossed => {
                self.first_lifetime(live).time_left(Duration::ZERO, Duration::ZERO)
            }
        }
    }
}

/// The cookie's attributes of one session.
impl Core {
    fn resolved(&self, slot: &Slot) -> Resolved {
        self.settings.attributes.resolve(slot.received.transport)
    }

    /// The attributes of a session: the configured ones, or its own.
    fn own_cookie(&self, slot: &Slot, cookie: Option<&RawJson>) -> SessionCookie {
        let configured = SessionCookie::configured(&self.resolved(slot));
        match cookie {
            Some(json) => SessionCookie::from_json(json.as_bytes(), &configured).0,
            None => configured,
        }
    }

    pub(crate) fn session_cookie(&self, slot: &Slot) -> SessionCookie {
        let cookie = slot.with(|live| live.cookie.clone()).flatten();
        self.own_cookie(slot, cookie.as_ref())
    }

    /// What a record keeps of these attributes.
    fn cookie_json(&self, slot: &Slot, cookie: &SessionCookie) -> Option<RawJson> {
        cookie.to_json(&SessionCookie::implied(&self.settings.attributes, slot.received.transport))
    }

    /// Takes the attributes that a handler gave its session.
    pub(crate) fn take_cookie(&self, slot: &Slot, mut cookie: SessionCookie, before: &SessionCookie) {
        let narrows = self.settings.stored_attributes == StoredAttributes::Narrow;
        if narrows && self.settings.attributes.secure == SecureRule::Auto && before.secure && !cookie.secure {
            telemetry::cookie_refused(self, slot.record_id().as_ref());
            cookie.secure = true;
        }
        let json = self.cookie_json(slot, &cookie);
        slot.with(|live| {
            live.cookie_changed |= live.cookie != json;
            live.cookie_unsent |= live.cookie != json;
            live.cookie = json;
        });
    }

    /// The attributes with which a new session begins: those of the rules for this request, and Secure where it follows the
    /// transport.
    pub(crate) fn first_cookie(&self, slot: &Slot) -> Option<RawJson> {
        self.cookie_json(slot, &self.begun_cookie(slot))
    }

    /// The attributes with which the session of another identity begins in the same record: it keeps Secure where it had it.
    pub(crate) fn fresh_cookie(&self, slot: &Slot, cookie: &RawJson) -> Option<RawJson> {
        let mut fresh = self.begun_cookie(slot);
        fresh.secure |= self.own_cookie(slot, Some(cookie)).secure;
        self.cookie_json(slot, &fresh)
    }

    fn begun_cookie(&self, slot: &Slot) -> SessionCookie {
        let mut cookie = SessionCookie::configured(&self.resolved(slot));
        if let (Some(rules), Some(parts)) = (&self.settings.cookie_rules, slot.received.parts.as_deref()) {
            let before = cookie.clone();
            rules(parts, &mut cookie);
            cookie.settle(&before);
        }
        cookie
    }

    /// The JSON of a session that was born on http and is used over https now: it gets Secure, and a new verifier (R19).
    pub(crate) fn secured_cookie(&self, slot: &Slot, cookie: Option<&RawJson>) -> Option<RawJson> {
        let is_auto = self.settings.attributes.secure == SecureRule::Auto;
        if !is_auto || slot.received.transport != Some(Transport::Secure) {
            return None;
        }
        let implied = SessionCookie::implied(&self.settings.attributes, slot.received.transport);
        let mut own =
            cookie.map_or_else(|| implied.clone(), |json| SessionCookie::from_json(json.as_bytes(), &implied).0);
        if own.secure {
            return None;
        }
        own.secure = true;
        own.to_json(&implied)
    }

    /// The lifetimes that a session has of its own: a `max_age` of its own stands in for an idle lifetime.
    pub(crate) fn own_lifetimes(&self, cookie: Option<&RawJson>) -> OwnLifetimes {
        let Some(json) = cookie else {
            return OwnLifetimes::default();
        };
        let configured = SessionCookie::configured(&self.settings.attributes.resolve(None));
        let own = SessionCookie::from_json(json.as_bytes(), &configured).0;
        let max_age = own.max_age.filter(|_| own.max_age != configured.max_age);
        OwnLifetimes { idle: own.idle.or(max_age), absolute: own.absolute }
    }

    /// The lifetimes of a session with these attributes of its own.
    pub(crate) fn lifetimes(&self, own: OwnLifetimes) -> Lifetimes {
        Lifetimes {
            idle: own.idle.unwrap_or(self.lifetimes.idle),
            absolute: own.absolute.unwrap_or(self.lifetimes.absolute),
        }
    }

    /// What a handler sees of them.
    pub(crate) fn session_lifetimes(&self, slot: &Slot) -> Lifetimes {
        let cookie = slot.with(|live| live.cookie.clone()).flatten();
        self.lifetimes(self.own_lifetimes(cookie.as_ref()))
    }

    /// Whether the cookie may travel on this connection. In the express format a Secure cookie is not sent over http; ours
    /// is, and it is the browser that refuses it.
    pub(crate) fn sendable(&self, slot: &Slot, live: &Live) -> bool {
        match self.settings.format {
            Format::Native => true,
            Format::Express => {
                slot.received.transport == Some(Transport::Secure) || !self.response_attributes(slot, live).0.secure
            }
        }
    }

    /// Whether the response's cookie has an expiry.
    pub(crate) fn expires(&self, slot: &Slot, live: &Live) -> bool {
        match live.cookie {
            None => self.settings.attributes.max_age.is_some(),
            Some(_) => self.response_attributes(slot, live).0.max_age.is_some(),
        }
    }

    /// The attributes of the response's cookie, and whether the session's own were taken (R21).
    fn response_attributes(&self, slot: &Slot, live: &Live) -> (Resolved, Refused) {
        let configured = self.resolved(slot);
        let Some(json) = &live.cookie else {
            return (configured, Refused::Nothing);
        };
        let (own, unreadable) = SessionCookie::from_json(json.as_bytes(), &SessionCookie::configured(&configured));
        let (resolved, refused) = match self.settings.stored_attributes {
            StoredAttributes::Narrow => narrow(&configured, &own),
            StoredAttributes::Exact => exact(&configured, &own),
        };
        (resolved, unreadable.or(refused))
    }

    /// The same for a cookie that goes out now: what is refused is reported.
    fn sent_attributes(&self, slot: &Slot, live: &Live) -> Resolved {
        let (attributes, refused) = self.response_attributes(slot, live);
        if refused == Refused::Something {
            telemetry::cookie_refused(self, live.id.as_ref());
        }
        attributes
    }
}

/// Stage 8: the cookie's value and lifetime.
impl Core {
    /// The value of a session's cookie.
    fn cookie_value(&self, slot: &Slot, id: &SessionId, epoch: Epoch, verifier: Verifier) -> Option<CookieValue> {
        match &self.keys {
            CookieKeys::Native(keys) => {
                let token = Token { selector: id.selector()?, epoch, verifier };
                let fingerprint = slot.received.fingerprint.as_deref().unwrap_or_default();
                Some(CookieValue::Native(keys.sign(&token, fingerprint)))
            }
            CookieKeys::Express(keys) => Some(CookieValue::Express(keys.sign(id))),
        }
    }

    /// The cookie's expiry: never past the session's absolute end (R7).
    fn cookie_expiry(&self, live: &Live, max_age: Option<Duration>) -> Expiry {
        let Some(max_age) = max_age else {
            return Expiry::BrowserSession;
        };
        let age = if live.identity_change == IdentityChange::Unchanged && live.is_stored() {
            live.record.absolute_age()
        } else {
            Duration::ZERO
        };
        let absolute = self.lifetimes(self.own_lifetimes(live.cookie.as_ref())).absolute;
        let max_age = max_age.min(absolute.saturating_sub(age));
        match self.settings.format {
            Format::Native => Expiry::MaxAge(max_age),
            Format::Express => Expiry::Expires(self.settings.clock.unix().saturating_add(max_age)),
        }
    }

    /// The `Set-Cookie` of a session. `None` when id or attributes make no cookie.
    pub(crate) fn set_cookie(&self, slot: &Slot, live: &Live, epoch: Epoch, verifier: Verifier) -> Option<HeaderValue> {
        let value = self.cookie_value(slot, live.id.as_ref()?, epoch, verifier)?;
        let attributes = self.sent_attributes(slot, live);
        let expiry = self.cookie_expiry(live, attributes.max_age);
        set_cookie::render(&attributes, value.as_str(), expiry).ok()
    }

    /// The `Set-Cookie` that makes the browser forget a session.
    pub(crate) fn removal_cookie(&self, slot: &Slot, live: &Live) -> HeaderValue {
        set_cookie::removal(&self.sent_attributes(slot, live))
    }
}

/// A cookie's value, on the stack in the native format.
enum CookieValue {
    Native(TokenText),
    Express(String),
}

impl CookieValue {
    fn as_str(&self) -> &str {
        match self {
            Self::Native(text) => text.as_str(),
            Self::Express(text) => text,
        }
    }
}
