//! A session's own cookie attributes: what a handler sees, what the record keeps, and how far they may differ from the
//! configuration (R21).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::cookie::path::covers;
use crate::cookie::transport::Transport;
use http_session_store::record::RawJson;

use super::attributes::{Attributes, Priority, Resolved, SameSite};
use super::name::{CookieDomain, CookiePath};

/// The cookie attributes of one session: the configured ones, and what was changed for this session.
///
/// A handler reads them with [`Session::cookie`](crate::Session::cookie) and changes them with
/// [`Session::cookie_mut`](crate::Session::cookie_mut).
/// [`Builder::cookie_for`](crate::config::builder::Builder::cookie_for) changes them for new sessions. The changes are
/// stored with the session and apply to its later responses too.
///
/// `max_age` and `priority` can be changed freely. The other attributes may only become stricter: `HttpOnly` and
/// `Secure` on, a stricter `SameSite`, a path below the configured one, no domain. An attribute that breaks this stays
/// as configured, with an event. [`StoredAttributes::Exact`](crate::config::StoredAttributes::Exact) lifts these
/// limits.
///
/// ```
/// use std::time::Duration;
/// use http_session::SessionCookie;
///
/// fn remember_me(cookie: &mut SessionCookie) {
///     cookie.max_age = Some(Duration::from_secs(14 * 24 * 60 * 60));
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionCookie {
    /// How long the browser keeps the cookie, counted from each `Set-Cookie`. With `None` it keeps the cookie until it
    /// is closed.
    ///
    /// A session's own `max_age` is also its idle lifetime. The time that is left is
    /// [`Session::expires_in`](crate::Session::expires_in).
    #[doc(alias = "maxAge")]
    pub max_age: Option<Duration>,
    /// The full length, to which a rolling session returns (express: `originalMaxAge`). An assignment to `max_age`
    /// changes it too.
    ///
    /// The record keeps this value, in milliseconds. Later requests find it in both fields.
    #[doc(alias = "originalMaxAge")]
    pub original_max_age: Option<Duration>,
    /// The path below which the browser sends the cookie. It may be a path below the configured one; with `__Host-` it
    /// stays `/`.
    pub path: CookiePath,
    /// The domain whose hosts get the cookie. `None`, which means only this host, is stricter.
    pub domain: Option<CookieDomain>,
    /// Whether the cookie is hidden from scripts. `true` is stricter.
    pub http_only: bool,
    /// Whether the cookie is only sent over https. `true` is stricter.
    pub secure: bool,
    /// `SameSite`, or `None` without the attribute. In increasing strictness: `SameSite=None`, without the attribute,
    /// `Lax`, `Strict`.
    pub same_site: Option<SameSite>,
    /// Whether the cookie is kept apart for each top-level site (CHIPS). It stays as configured.
    pub partitioned: bool,
    /// Chromium's `Priority`.
    pub priority: Option<Priority>,
    /// The session's own lifetimes. The record keeps them with the cookie attributes, because a change of identity
    /// resets both.
    pub(crate) idle: Option<Duration>,
    pub(crate) absolute: Option<Duration>,
}

/// Whether some of a session's own attributes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Nothing,
    /// At least one attribute stays as configured, with an event.
    Something,
}

impl Refused {
    pub(crate) const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => Self::Nothing,
            (Self::Something, _) | (_, Self::Something) => Self::Something,
        }
    }
}

impl SessionCookie {
    /// The attributes of a session without its own ones.
    pub(crate) fn configured(configured: &Resolved) -> Self {
        Self {
            max_age: configured.max_age,
            original_max_age: configured.max_age,
            path: configured.path.clone(),
            domain: configured.domain.clone(),
            http_only: configured.http_only,
            secure: configured.secure,
            same_site: configured.same_site,
            partitioned: configured.partitioned,
            priority: configured.priority,
            idle: None,
            absolute: None,
        }
    }

    /// What a record does not have to keep, because the configuration says it for each request.
    ///
    /// A `Secure` that came from the transport is not implied. The record must keep it, so that a later request over
    /// http does not turn it off (R19).
    pub(crate) fn implied(attributes: &Attributes, transport: Option<Transport>) -> Self {
        Self { secure: attributes.resolve(None).secure, ..Self::configured(&attributes.resolve(transport)) }
    }

    /// Sets `original_max_age` to a `max_age` that the handler assigned, as express does.
    pub(crate) fn settle(&mut self, before: &Self) {
        if self.max_age != before.max_age && self.original_max_age == before.original_max_age {
            self.original_max_age = self.max_age;
        }
    }

    /// The JSON that the record keeps, with the member names of express-session's `cookie` object. It contains only
    /// what differs from [`implied`](Self::implied). `None` if nothing differs.
    pub(crate) fn to_json(&self, implied: &Self) -> Option<RawJson> {
        if self == implied {
            return None;
        }
        let own = Members {
            original_max_age: differs(&millis(self.original_max_age), &millis(implied.original_max_age)),
            partitioned: differs(&self.partitioned, &implied.partitioned),
            priority: differs(&self.priority.map(priority_text), &implied.priority.map(priority_text)),
            secure: differs(&self.secure, &implied.secure),
            http_only: differs(&self.http_only, &implied.http_only),
            domain: differs(&self.domain, &implied.domain).map(|domain| domain.map(|text| text.to_string())),
            path: differs(&self.path, &implied.path).map(|path| path.to_string()),
            same_site: differs(&self.same_site.map(same_site_text), &implied.same_site.map(same_site_text)),
            idle: millis(self.idle),
            absolute: millis(self.absolute),
        };
        match serde_json::to_vec(&own) {
            Ok(json) if json != b"{}" => Some(RawJson::new(&json)),
            _ => None,
        }
    }

    /// The attributes configured for this request, replaced by those that the record keeps.
    ///
    /// Any bytes are accepted. A member that cannot be read stays as configured and is reported as refused. Unknown
    /// members are ignored. If a member comes twice, the last one counts (R15).
    pub(crate) fn from_json(json: &[u8], configured: &Self) -> (Self, Refused) {
        let mut reading = Reading { cookie: configured.clone(), refused: Refused::Nothing };
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let read = deserializer.deserialize_map(&mut reading).and_then(|()| deserializer.end());
        match read {
            Ok(()) => (reading.cookie, reading.refused),
            Err(_) => (configured.clone(), Refused::Something),
        }
    }
}

fn differs<T: PartialEq + Clone>(own: &T, configured: &T) -> Option<T> {
    (own != configured).then(|| own.clone())
}

fn millis(length: Option<Duration>) -> Option<u64> {
    length.map(|length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
}

const fn priority_text(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Medium => "medium",
        Priority::High => "high",
    }
}

const fn same_site_text(same_site: SameSite) -> &'static str {
    match same_site {
        SameSite::Strict => "strict",
        SameSite::Lax => "lax",
        SameSite::None => "none",
    }
}

/// The members in express-session's order. An outer `None` leaves the member out, an inner `None` writes `null`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    #[serde(skip_serializing_if = "Option::is_none")]
    original_max_age: Option<Option<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitioned: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Option<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secure: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    same_site: Option<Option<&'static str>>,
    // Unknown to express-session, which drops them when it writes the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    absolute: Option<u64>,
}

struct Reading {
    cookie: SessionCookie,
    refused: Refused,
}

/// The types of values that express-session writes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Member<'j> {
    Flag(bool),
    Number(f64),
    Text(#[serde(borrow)] Cow<'j, str>),
    Null,
}

impl Reading {
    /// `None` if the member cannot have this value.
    fn take(&mut self, name: &str, value: &RawValue) -> Option<()> {
        let cookie = &mut self.cookie;
        let value: Member<'_> = serde_json::from_str(value.get()).ok()?;
        match (name, value) {
            ("originalMaxAge", Member::Number(number)) => {
                // express writes a negative number for a cookie that has expired. It becomes zero.
                cookie.original_max_age = Some(length(number));
                cookie.max_age = cookie.original_max_age;
            }
            ("originalMaxAge", Member::Null | Member::Flag(false)) => {
                cookie.original_max_age = None;
                cookie.max_age = None;
            }
            ("partitioned", Member::Flag(flag)) => cookie.partitioned = flag,
            ("partitioned", Member::Null) => cookie.partitioned = false,
            ("secure", Member::Flag(flag)) => cookie.secure = flag,
            ("secure", Member::Null) => cookie.secure = false,
            ("httpOnly", Member::Flag(flag)) => cookie.http_only = flag,
            ("httpOnly", Member::Null) => cookie.http_only = false,
            ("priority", Member::Text(text)) => cookie.priority = Some(priority(&text)?),
            ("priority", Member::Null | Member::Flag(false)) => cookie.priority = None,
            ("domain", Member::Text(text)) => cookie.domain = Some(CookieDomain::try_from(text.as_ref()).ok()?),
            ("domain", Member::Null | Member::Flag(false)) => cookie.domain = None,
            ("path", Member::Text(text)) => cookie.path = CookiePath::try_from(text.as_ref()).ok()?,
            ("sameSite", Member::Text(text)) => cookie.same_site = Some(same_site(&text)?),
            ("sameSite", Member::Flag(true)) => cookie.same_site = Some(SameSite::Strict),
            ("sameSite", Member::Null | Member::Flag(false)) => cookie.same_site = None,
            ("idle", Member::Number(number)) => cookie.idle = Some(lifetime(number)),
            ("absolute", Member::Number(number)) => cookie.absolute = Some(lifetime(number)),
            _ => return None,
        }
        Some(())
    }
}

/// The cast saturates at both ends of `u64`.
const fn length(millis: f64) -> Duration {
    Duration::from_millis(millis as u64)
}

/// A lifetime without end is stored as `u64::MAX` milliseconds, which JSON's numbers may round.
fn lifetime(millis: f64) -> Duration {
    if millis >= u64::MAX as f64 { Duration::MAX } else { length(millis).max(Duration::from_millis(1)) }
}

fn priority(text: &str) -> Option<Priority> {
    [Priority::Low, Priority::Medium, Priority::High]
        .into_iter()
        .find(|&priority| priority_text(priority).eq_ignore_ascii_case(text))
}

fn same_site(text: &str) -> Option<SameSite> {
    [SameSite::Strict, SameSite::Lax, SameSite::None]
        .into_iter()
        .find(|&same_site| same_site_text(same_site).eq_ignore_ascii_case(text))
}

impl<'j> Visitor<'j> for &mut Reading {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of cookie attributes")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<Cow<'j, str>>()? {
            match name.as_ref() {
                "originalMaxAge" | "partitioned" | "priority" | "secure" | "httpOnly" | "domain" | "path"
                | "sameSite" | "idle" | "absolute" => {
                    let value = members.next_value::<&'j RawValue>()?;
                    if self.take(&name, value).is_none() {
                        self.refused = Refused::Something;
                    }
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The configured attributes, with those of the session that are stricter (R21).
///
/// Anyone who can write to the store decides what a record says. So a record must not weaken the configured protection,
/// and an attribute is taken from it only after a comparison.
pub(crate) fn narrow(configured: &Resolved, own: &SessionCookie) -> (Resolved, Refused) {
    let mut resolved = configured.clone();
    resolved.max_age = own.max_age;
    resolved.priority = own.priority;
    resolved.http_only |= own.http_only;
    resolved.secure |= own.secure;
    if strictness(own.same_site) >= strictness(configured.same_site) {
        resolved.same_site = own.same_site;
    }
    if is_path_free(configured) && covers(configured.path.as_str(), own.path.as_str()) {
        resolved.path = own.path.clone();
    }
    if own.domain.is_none() {
        resolved.domain = None;
    }
    let refused = compare(&resolved, own);
    (resolved, refused)
}

/// The session's own attributes without limits, an option for parity with express (R21).
///
/// Combinations that a browser silently drops stay as configured: attributes that the name's prefix forbids, and
/// `SameSite=None` or `Partitioned` without `Secure`.
pub(crate) fn exact(configured: &Resolved, own: &SessionCookie) -> (Resolved, Refused) {
    let mut resolved = Resolved {
        name: configured.name.clone(),
        path: own.path.clone(),
        domain: own.domain.clone(),
        http_only: own.http_only,
        secure: own.secure,
        same_site: own.same_site,
        partitioned: own.partitioned,
        priority: own.priority,
        max_age: own.max_age,
    };
    if !is_path_free(configured) {
        resolved.path = configured.path.clone();
        resolved.domain = None;
    }
    if !is_path_free(configured) || configured.name.as_str().starts_with("__Secure-") {
        resolved.secure = true;
    }
    if !resolved.secure && (resolved.same_site == Some(SameSite::None) || resolved.partitioned) {
        resolved.secure = configured.secure;
        resolved.same_site = configured.same_site;
        resolved.partitioned = configured.partitioned;
    }
    let refused = compare(&resolved, own);
    (resolved, refused)
}

/// Whether the name allows a domain, and a path other than `/` (RFC 6265bis, section 4.1.3.2).
fn is_path_free(configured: &Resolved) -> bool {
    !configured.name.as_str().starts_with("__Host-")
}

/// Without the attribute, some browsers apply `Lax` and some `None`. So it ranks between the two.
const fn strictness(same_site: Option<SameSite>) -> u8 {
    match same_site {
        Some(SameSite::None) => 0,
        None => 1,
        Some(SameSite::Lax) => 2,
        Some(SameSite::Strict) => 3,
    }
}

fn compare(resolved: &Resolved, own: &SessionCookie) -> Refused {
    let taken = resolved.path == own.path
        && resolved.domain == own.domain
        && resolved.http_only == own.http_only
        && resolved.secure == own.secure
        && resolved.same_site == own.same_site
        && resolved.partitioned == own.partitioned;
    if taken { Refused::Nothing } else { Refused::Something }
}

#[cfg(test)]
mod tests;
