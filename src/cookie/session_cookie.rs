//! A session's own cookie attributes: what a handler sees, what the record keeps, and how far they may go (R21).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::config::Transport;
use crate::cookie::path::covers;
use http_session_store::record::RawJson;

use super::attributes::{Attributes, Priority, Resolved, SameSite};
use super::name::{CookieDomain, CookiePath};

/// The cookie of one session: the configured attributes, and what a handler changed for this session alone.
///
/// What differs from the configuration is stored with the session and holds for its later responses too. It may only narrow
/// (R21): `HttpOnly` and `Secure` on, `SameSite` stricter, a path below the configured one, no domain; anything else is not
/// done, and is reported as an event. `max_age` and `priority` are free.
///
/// A handler reaches it through [`Session::cookie`](crate::Session::cookie) and
/// [`Session::cookie_mut`](crate::Session::cookie_mut), a configuration through
/// [`Builder::cookie_for`](crate::config::builder::Builder::cookie_for). [`StoredAttributes::Exact`](crate::config::StoredAttributes::Exact)
/// lifts the limits.
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
    /// How long the browser keeps the cookie, from each `Set-Cookie` on; `None` until it is closed. Assign this one. It is the
    /// session's idle lifetime too (R7). The time that is left is
    /// [`Session::expires_in`](crate::Session::expires_in).
    #[doc(alias = "maxAge")]
    pub max_age: Option<Duration>,
    /// The whole length, to which a rolling session returns (express: `originalMaxAge`). This is what the record keeps, to the
    /// millisecond, and what later requests find in both. Follows a new `max_age` by itself.
    #[doc(alias = "originalMaxAge")]
    pub original_max_age: Option<Duration>,
    /// The path below which the browser sends it. Narrower is one below the configured path; with `__Host-` it stays `/`.
    pub path: CookiePath,
    /// The domain whose hosts get it; `None` is this host alone, and narrower.
    pub domain: Option<CookieDomain>,
    /// Hidden from scripts. Narrower is `true`.
    pub http_only: bool,
    /// Sent over https alone. Narrower is `true`.
    pub secure: bool,
    /// `SameSite`, if it is there at all. From the widest: `None`, without the attribute, `Lax`, `Strict`.
    pub same_site: Option<SameSite>,
    /// Kept apart by top-level site (CHIPS). Stays as configured.
    pub partitioned: bool,
    /// Chromium's `Priority`.
    pub priority: Option<Priority>,
    /// The session's own lifetimes are kept along with its cookie: they too go with the identity.
    pub(crate) idle: Option<Duration>,
    pub(crate) absolute: Option<Duration>,
}

/// Whether a session's own attributes were taken as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Nothing,
    /// At least one stays as configured: an event.
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
    /// A session without attributes of its own.
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

    /// What a record need not keep, since the configuration says it at every request. A `Secure` that came of the transport is
    /// none of it: it must be kept, so that the session never loses it (R19).
    pub(crate) fn implied(attributes: &Attributes, transport: Option<Transport>) -> Self {
        Self { secure: attributes.resolve(None).secure, ..Self::configured(&attributes.resolve(transport)) }
    }

    /// Lets `original_max_age` follow a `max_age` that the handler assigned, as in express.
    pub(crate) fn settle(&mut self, before: &Self) {
        if self.max_age != before.max_age && self.original_max_age == before.original_max_age {
            self.original_max_age = self.max_age;
        }
    }

    /// What the record keeps: the member names of express-session's `cookie` object, only what differs from what is
    /// [`implied`](Self::implied). `None` when nothing does.
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

    /// The attributes that a record keeps, over the ones configured for this request.
    ///
    /// Takes any bytes: a member that cannot be read stays as configured and is told as refused, unknown ones are passed
    /// over, and of one that is there twice the last counts (R15).
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

/// In express-session's order. The outer `None` is a member that is not there, the inner one is `null`.
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
    // Not express's: express-session drops them when it writes the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    absolute: Option<u64>,
}

struct Reading {
    cookie: SessionCookie,
    refused: Refused,
}

/// The values that express-session writes for its members.
#[derive(Deserialize)]
#[serde(untagged)]
enum Member<'j> {
    Flag(bool),
    Number(f64),
    Text(#[serde(borrow)] Cow<'j, str>),
    Null,
}

impl Reading {
    /// `None` when the value is none that this member can have.
    fn take(&mut self, name: &str, value: &RawValue) -> Option<()> {
        let cookie = &mut self.cookie;
        let value: Member<'_> = serde_json::from_str(value.get()).ok()?;
        match (name, value) {
            ("originalMaxAge", Member::Number(number)) => {
                // express writes a negative number for what has expired.
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

/// The cast ends at both ends of `u64`.
const fn length(millis: f64) -> Duration {
    Duration::from_millis(millis as u64)
}

/// One without end is the largest number of milliseconds, or what JSON's numbers make of it.
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

/// A session's own attributes as far as they narrow the configured ones (R21).
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

/// A session's own attributes as they are, the explicit option for parity with express (R21).
///
/// Combinations that a browser drops without a word stay as configured: what the name's prefix forbids, `SameSite=None` or
/// `Partitioned` without `Secure`.
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

/// Whether the name lets the path be another than `/` (RFC 6265bis, section 4.1.3.2).
fn is_path_free(configured: &Resolved) -> bool {
    !configured.name.as_str().starts_with("__Host-")
}

/// Without the attribute some browsers take `Lax` and some `None`, so it stands between them.
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
