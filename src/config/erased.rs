//! The configuration as the middleware uses it.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use rand::Rng as _;

use super::Activity;
use super::settings::{Lifetimes, Settings};
use crate::cookie::SessionCookie;
use crate::cookie::path;
use crate::decide::{Resave, SaveUninitialized};
use crate::forgery::CsrfKeys;
use crate::store::{ErasedIndex, ErasedStore};
use crate::telemetry::{self, TagKey};
use crate::token::Secret;
use crate::token::express::ExpressKeys;
use crate::token::{CookieKeys, Format, Keys, TEXT_BYTES};
use http_session_store::record::RawJson;
use http_session_store::{SELECTOR_BYTES, SessionId};

/// The lifetimes that one session has of its own. `None` means the configured one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnLifetimes {
    idle: Option<Duration>,
    absolute: Option<Duration>,
}

/// The configuration without the store's type, so that the middleware needs no type parameter.
pub(crate) struct ErasedConfig {
    store: Arc<dyn ErasedStore>,
    keys: CookieKeys,
    pub(crate) csrf: CsrfKeys,
    pub(crate) tags: TagKey,
    lifetimes: Lifetimes,
    pub(crate) settings: Settings,
}

impl ErasedConfig {
    pub(super) fn new(secret: &Secret, store: Arc<dyn ErasedStore>, mut settings: Settings) -> Self {
        // Takes the secrets out of the settings, so that they are wiped here. Only HMAC states made from them stay in
        // memory.
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

    /// The index, if the configuration has one (R28).
    pub(crate) fn index(&self) -> Option<&dyn ErasedIndex> {
        self.settings.index.as_deref()
    }

    pub(crate) fn keys(&self) -> &CookieKeys {
        &self.keys
    }

    /// The time since a fixed moment, on the configured clock.
    pub(crate) fn elapsed(&self) -> Duration {
        self.settings.clock.elapsed()
    }

    /// Fills a buffer with random bytes from the thread's cryptographic generator, which the operating system seeds.
    pub(crate) fn random(&self, buffer: &mut [u8]) {
        rand::rng().fill_bytes(buffer);
    }

    /// An id for a new session. `None` if the application's generator returned an id that does not have the configured
    /// shape.
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
                // The same as uid-safe in express-session: 24 bytes, 32 characters.
                let mut bytes = [0; 24];
                self.random(&mut bytes);
                SessionId::try_from(URL_SAFE_NO_PAD.encode(bytes).as_str()).ok()
            }
        }
    }

    /// Whether a cookie value of this length can be ours. Other values are dropped before anything is computed.
    pub(crate) const fn is_cookie_length(&self, length: usize) -> bool {
        match self.settings.format {
            Format::Native => length == TEXT_BYTES,
            // An id of 1,024 bytes takes up to 3,072 when percent-encoded. The rest is for the signature.
            Format::Express => length <= 4096,
        }
    }

    /// Whether a function of the configuration needs the request's head after the request has gone to the handler.
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

    /// Whether the session is loaded even if no handler asks for it.
    pub(crate) fn loads_always(&self) -> bool {
        self.settings.activity == Activity::Presented
            || self.settings.policy.resave == Resave::Always
            || self.settings.policy.save_uninitialized == SaveUninitialized::Always
    }

    /// The lifetimes of the session with these cookie attributes. A `max_age` of its own is also its idle lifetime,
    /// unless it has an idle lifetime of its own.
    pub(crate) fn own_lifetimes(&self, cookie: Option<&RawJson>) -> OwnLifetimes {
        let Some(json) = cookie else {
            return OwnLifetimes::default();
        };
        let configured = SessionCookie::configured(&self.settings.attributes.resolve(None));
        let own = SessionCookie::from_json(json.as_bytes(), &configured).0;
        let max_age = own.max_age.filter(|_| own.max_age != configured.max_age);
        OwnLifetimes { idle: own.idle.or(max_age), absolute: own.absolute }
    }

    /// The lifetimes that apply: the session's own, otherwise the configured ones.
    pub(crate) fn lifetimes(&self, own: OwnLifetimes) -> Lifetimes {
        Lifetimes::new(own.idle.unwrap_or(self.lifetimes.idle), own.absolute.unwrap_or(self.lifetimes.absolute))
    }
}
