//! Stage 8: the cookie of the response, with its attributes, its value and its lifetime.

use std::time::Duration;

use http::HeaderValue;

use super::write;
use crate::config::{ErasedConfig, Lifetimes, StoredAttributes, Transport};
use crate::cookie::SessionCookie;
use crate::cookie::attributes::{Resolved, SecureRule};
use crate::cookie::session_cookie::{Refused, exact, narrow};
use crate::cookie::set_cookie::{self, Expiry};
use crate::decide::Origin;
use crate::request::session::RequestSession;
use crate::request::slot::Slot;
use crate::telemetry;
use crate::token::{CookieKeys, Format, Token, TokenText, Verifier};
use http_session_store::SessionId;
use http_session_store::record::{Epoch, IdentityChange, RawJson};

/// Which cookie the response carries, after the answer of the store.
pub(super) enum CookieOutcome {
    Nothing,
    /// No cookie, and the changes of this request are dropped: the session was ended or rotated elsewhere (R11).
    Dropped,
    /// The verifier, and the epoch of its record.
    Set(Verifier, Epoch),
    Remove,
}

/// Time left, as of the last load or write.
pub(crate) fn time_left(config: &ErasedConfig, session: &RequestSession) -> Duration {
    match session.loaded.origin {
        Origin::Found => session.loaded.record.expires_in,
        Origin::New | Origin::Late | Origin::Ambiguous => {
            write::first_lifetime(config, session).time_left(Duration::ZERO, Duration::ZERO)
        }
    }
}

/// The configured attributes, with Secure decided by the transport where the configuration says so.
fn resolved(config: &ErasedConfig, slot: &Slot) -> Resolved {
    config.settings.attributes.resolve(slot.received.transport)
}

/// The attributes of a session: its own, or the configured ones if it has none.
fn own_cookie(config: &ErasedConfig, slot: &Slot, cookie: Option<&RawJson>) -> SessionCookie {
    let configured = SessionCookie::configured(&resolved(config, slot));
    match cookie {
        Some(json) => SessionCookie::from_json(json.as_bytes(), &configured).0,
        None => configured,
    }
}

pub(crate) fn session_cookie(config: &ErasedConfig, slot: &Slot) -> SessionCookie {
    let cookie = slot.with(|session| session.pending.cookie.clone()).flatten();
    own_cookie(config, slot, cookie.as_ref())
}

/// What a record stores of these attributes: the differences from the configured ones.
fn cookie_json(config: &ErasedConfig, slot: &Slot, cookie: &SessionCookie) -> Option<RawJson> {
    cookie.to_json(&SessionCookie::implied(&config.settings.attributes, slot.received.transport))
}

/// Records the attributes that a handler gave to its session.
pub(crate) fn take_cookie(config: &ErasedConfig, slot: &Slot, mut cookie: SessionCookie, before: &SessionCookie) {
    // A session that once had Secure keeps it (R19).
    let narrows = config.settings.stored_attributes == StoredAttributes::Narrow;
    if narrows && config.settings.attributes.secure == SecureRule::Auto && before.secure && !cookie.secure {
        telemetry::cookie_refused(&config.tags, slot.record_id().as_ref());
        cookie.secure = true;
    }
    let json = cookie_json(config, slot, &cookie);
    slot.with(|session| {
        session.pending.cookie_changed |= session.pending.cookie != json;
        session.pending.cookie_unsent |= session.pending.cookie != json;
        session.pending.cookie = json;
    });
}

/// The attributes with which a new session begins: the configured ones, changed by the application's cookie rules, and with
/// Secure if it follows the transport and the request came over https.
pub(crate) fn first_cookie(config: &ErasedConfig, slot: &Slot) -> Option<RawJson> {
    cookie_json(config, slot, &begun_cookie(config, slot))
}

/// The attributes with which the session of another identity begins in the same record. Secure stays if the record has it
/// (R19).
pub(crate) fn fresh_cookie(config: &ErasedConfig, slot: &Slot, cookie: &RawJson) -> Option<RawJson> {
    let mut fresh = begun_cookie(config, slot);
    fresh.secure |= own_cookie(config, slot, Some(cookie)).secure;
    cookie_json(config, slot, &fresh)
}

/// Runs the application's cookie rules, so the slot must not be locked here.
fn begun_cookie(config: &ErasedConfig, slot: &Slot) -> SessionCookie {
    let mut cookie = SessionCookie::configured(&resolved(config, slot));
    if let (Some(rules), Some(parts)) = (&config.settings.cookie_rules, slot.received.parts.as_deref()) {
        let before = cookie.clone();
        rules(parts, &mut cookie);
        cookie.settle(&before);
    }
    cookie
}

/// The attributes, as JSON, of a session that was born on http and is now used over https: they gain Secure. The caller also
/// rotates the session (R19). `None` if Secure is there already, or does not follow the transport.
pub(crate) fn secured_cookie(config: &ErasedConfig, slot: &Slot, cookie: Option<&RawJson>) -> Option<RawJson> {
    let is_auto = config.settings.attributes.secure == SecureRule::Auto;
    if !is_auto || slot.received.transport != Some(Transport::Secure) {
        return None;
    }
    let implied = SessionCookie::implied(&config.settings.attributes, slot.received.transport);
    let mut own = cookie.map_or_else(|| implied.clone(), |json| SessionCookie::from_json(json.as_bytes(), &implied).0);
    if own.secure {
        return None;
    }
    own.secure = true;
    own.to_json(&implied)
}

/// The lifetimes that apply to the session, as a handler sees them.
pub(crate) fn session_lifetimes(config: &ErasedConfig, slot: &Slot) -> Lifetimes {
    let cookie = slot.with(|session| session.pending.cookie.clone()).flatten();
    config.lifetimes(config.own_lifetimes(cookie.as_ref()))
}

/// Whether the cookie may be sent on this connection. The express format does not send a Secure cookie over http. The native
/// format does, and leaves it to the browser to refuse the cookie.
pub(crate) fn sendable(config: &ErasedConfig, slot: &Slot, session: &RequestSession) -> bool {
    match config.settings.format {
        Format::Native => true,
        Format::Express => {
            slot.received.transport == Some(Transport::Secure) || !response_attributes(config, slot, session).0.secure
        }
    }
}

/// Whether the response's cookie has an expiry.
pub(crate) fn expires(config: &ErasedConfig, slot: &Slot, session: &RequestSession) -> bool {
    match session.pending.cookie {
        None => config.settings.attributes.max_age.is_some(),
        Some(_) => response_attributes(config, slot, session).0.max_age.is_some(),
    }
}

/// The attributes of the response's cookie, and whether any of the session's own attributes were refused (R21).
fn response_attributes(config: &ErasedConfig, slot: &Slot, session: &RequestSession) -> (Resolved, Refused) {
    let configured = resolved(config, slot);
    let Some(json) = &session.pending.cookie else {
        return (configured, Refused::Nothing);
    };
    let (own, unreadable) = SessionCookie::from_json(json.as_bytes(), &SessionCookie::configured(&configured));
    let (resolved, refused) = match config.settings.stored_attributes {
        StoredAttributes::Narrow => narrow(&configured, &own),
        StoredAttributes::Exact => exact(&configured, &own),
    };
    (resolved, unreadable.or(refused))
}

/// The attributes of a cookie that is sent now. Reports attributes that are refused.
fn sent_attributes(config: &ErasedConfig, slot: &Slot, session: &RequestSession) -> Resolved {
    let (attributes, refused) = response_attributes(config, slot, session);
    if refused == Refused::Something {
        telemetry::cookie_refused(&config.tags, session.loaded.id.as_ref());
    }
    attributes
}

/// The value of a session's cookie. `None` if the id does not have the shape of the format.
fn cookie_value(
    config: &ErasedConfig,
    slot: &Slot,
    id: &SessionId,
    epoch: Epoch,
    verifier: Verifier,
) -> Option<CookieValue> {
    match config.keys() {
        CookieKeys::Native(keys) => {
            let token = Token { selector: id.selector()?, epoch, verifier };
            let fingerprint = slot.received.fingerprint.as_deref().unwrap_or_default();
            Some(CookieValue::Native(keys.sign(&token, fingerprint)))
        }
        CookieKeys::Express(keys) => Some(CookieValue::Express(keys.sign(id))),
    }
}

/// The cookie's expiry: never past the session's absolute end (R7).
fn cookie_expiry(config: &ErasedConfig, session: &RequestSession, max_age: Option<Duration>) -> Expiry {
    let Some(max_age) = max_age else {
        return Expiry::BrowserSession;
    };
    // A change of identity in this request restarts the absolute lifetime; a session that is not stored has no age yet.
    let age = if session.identity_change() == IdentityChange::Unchanged && session.is_stored() {
        session.loaded.record.absolute_age()
    } else {
        Duration::ZERO
    };
    let absolute = config.lifetimes(config.own_lifetimes(session.pending.cookie.as_ref())).absolute;
    let max_age = max_age.min(absolute.saturating_sub(age));
    match config.settings.format {
        Format::Native => Expiry::MaxAge(max_age),
        Format::Express => Expiry::Expires(config.settings.clock.unix().saturating_add(max_age)),
    }
}

/// The `Set-Cookie` of a session. `None` if the id or the attributes do not make a valid cookie.
pub(crate) fn set_cookie(
    config: &ErasedConfig,
    slot: &Slot,
    session: &RequestSession,
    epoch: Epoch,
    verifier: Verifier,
) -> Option<HeaderValue> {
    let value = cookie_value(config, slot, session.loaded.id.as_ref()?, epoch, verifier)?;
    let attributes = sent_attributes(config, slot, session);
    let expiry = cookie_expiry(config, session, attributes.max_age);
    set_cookie::render(&attributes, value.as_str(), expiry).ok()
}

/// The `Set-Cookie` that makes the browser forget a session.
pub(crate) fn removal_cookie(config: &ErasedConfig, slot: &Slot, session: &RequestSession) -> HeaderValue {
    set_cookie::removal(&sent_attributes(config, slot, session))
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
