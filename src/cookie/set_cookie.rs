//! Stage 8: writes our cookie into a response, and keeps that response out of shared caches (R20, R21).

use std::fmt::{self, Write as _};
use std::time::Duration;

use ::cookie::Cookie;
use ::cookie::time::{self, OffsetDateTime};
use http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, MaxSizeReached, SET_COOKIE, VARY};
use smallvec::SmallVec;

use super::attributes::{Priority, Resolved, SameSite};
use super::list::{elements, is_closed};

/// The longest `Max-Age` that browsers accept: 400 days (RFC 6265bis, section 5.5).
pub(crate) const LONGEST_MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// When the browser forgets the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// When the browser is closed.
    BrowserSession,
    /// The native format: `Max-Age`, in whole seconds, at most 400 days.
    MaxAge(Duration),
    /// The express format: `Expires`, the time since the Unix epoch in whole seconds.
    Expires(Duration),
    /// At once.
    Removed,
}

/// The value cannot be written into a cookie: a byte is not a `cookie-octet` (RFC 6265bis, section 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidCookieValue;

/// The value of the `Set-Cookie` header, marked sensitive (R26).
pub(crate) fn render(resolved: &Resolved, value: &str, expiry: Expiry) -> Result<HeaderValue, InvalidCookieValue> {
    // `fold` with `&` does not stop early, so the compiler can check many bytes at once.
    if !value.bytes().fold(true, |all, byte| all & is_cookie_octet(byte)) {
        return Err(InvalidCookieValue);
    }
    let mut text = Buffer(SmallVec::new());
    write!(text, "{}", cookie(resolved, value, expiry)).map_err(|_| InvalidCookieValue)?;
    if let Some(priority) = resolved.priority {
        text.0.extend_from_slice(match priority {
            Priority::Low => b"; Priority=Low",
            Priority::Medium => b"; Priority=Medium",
            Priority::High => b"; Priority=High",
        });
    }
    let mut header = HeaderValue::from_bytes(&text.0).map_err(|_| InvalidCookieValue)?;
    header.set_sensitive(true);
    Ok(header)
}

/// The header that removes the cookie from the browser: no value, `Max-Age=0` and a date in the past.
///
/// It repeats the attributes (R21). A browser removes a cookie only if name, domain and path are the same, and it
/// ignores a `__Host-` cookie without `Secure` and `Path=/`, even a removal.
pub(crate) fn removal(resolved: &Resolved) -> HeaderValue {
    // Name, path and domain were checked when they were created, so this cannot fail.
    let header = render(resolved, "", Expiry::Removed);
    debug_assert!(header.is_ok());
    header.unwrap_or(HeaderValue::from_static(""))
}

fn cookie<'c>(resolved: &'c Resolved, value: &'c str, expiry: Expiry) -> Cookie<'c> {
    let mut cookie = Cookie::new(resolved.name.as_str(), value);
    cookie.set_path(resolved.path.as_str());
    if let Some(domain) = &resolved.domain {
        cookie.set_domain(domain.as_str());
    }
    cookie.set_http_only(resolved.http_only);
    // Set in every case: if it is unset, the `cookie` crate derives it from `SameSite`.
    cookie.set_secure(resolved.secure);
    cookie.set_partitioned(resolved.partitioned);
    cookie.set_same_site(resolved.same_site.map(|same_site| match same_site {
        SameSite::Strict => ::cookie::SameSite::Strict,
        SameSite::Lax => ::cookie::SameSite::Lax,
        SameSite::None => ::cookie::SameSite::None,
    }));
    match expiry {
        Expiry::BrowserSession => {}
        Expiry::MaxAge(length) => cookie.set_max_age(time::Duration::seconds(seconds(length.min(LONGEST_MAX_AGE)))),
        Expiry::Expires(unix) => cookie.set_expires(date(unix)),
        Expiry::Removed => {
            cookie.set_max_age(time::Duration::ZERO);
            cookie.set_expires(OffsetDateTime::UNIX_EPOCH);
        }
    }
    cookie
}

fn seconds(length: Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX)
}

/// Whole seconds, truncated like JavaScript's `toUTCString`, and at most the end of the year 9999: a cookie date has
/// four digits for the year.
fn date(unix: Duration) -> OffsetDateTime {
    const END_OF_9999: i64 = 253_402_300_799;
    OffsetDateTime::from_unix_timestamp(seconds(unix).min(END_OF_9999)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

const fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() & (byte != b'"') & (byte != b',') & (byte != b';') & (byte != b'\\')
}

/// A buffer on the stack, so that the header's own copy is the only allocation.
struct Buffer(SmallVec<[u8; 512]>);

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Adds our cookie after those that the handler sets.
pub(crate) fn append(headers: &mut HeaderMap, mut value: HeaderValue) -> Result<(), MaxSizeReached> {
    value.set_sensitive(true);
    headers.try_append(SET_COOKIE, value).map(|_| ())
}

/// Adds `Vary: Cookie` (R20), unless the handler set it or `*`.
pub(crate) fn vary_cookie(headers: &mut HeaderMap) -> Result<(), MaxSizeReached> {
    let says_so = headers
        .get_all(VARY)
        .iter()
        .any(|line| elements(line.as_bytes(), b',').any(|name| name == b"*" || name.eq_ignore_ascii_case(b"cookie")));
    if says_so {
        return Ok(());
    }
    headers.try_append(VARY, HeaderValue::from_static("Cookie")).map(|_| ())
}

/// Keeps a response with our `Set-Cookie` out of shared caches (R20). A shared cache would give one user's session to
/// others.
///
/// Directives that allow shared caching are removed. `private` is added unless `private` or `no-store` is present. The
/// handler's other directives stay.
pub(crate) fn mark_private(headers: &mut HeaderMap) -> Result<(), MaxSizeReached> {
    remove_directives_for_cdns(headers);
    let mut kept: SmallVec<[u8; 128]> = SmallVec::new();
    let mut is_private = false;
    let mut is_changed = false;
    for line in headers.get_all(CACHE_CONTROL) {
        for directive in elements(line.as_bytes(), b',') {
            match classify(directive) {
                Directive::Drop => {
                    is_changed = true;
                    continue;
                }
                Directive::Private => is_private = true,
                Directive::Other => {}
            }
            kept.extend_from_slice(b", ");
            kept.extend_from_slice(directive);
        }
    }
    if is_private && !is_changed {
        return Ok(());
    }
    if !is_private {
        kept.insert_from_slice(0, b", private");
    }
    let value = HeaderValue::from_bytes(kept.get(2..).unwrap_or_default());
    headers.try_insert(CACHE_CONTROL, value.unwrap_or(HeaderValue::from_static("private"))).map(|_| ())
}

enum Directive {
    /// It allows shared caches to store the response, or it cannot be parsed.
    Drop,
    /// It forbids shared caches to store the response.
    Private,
    Other,
}

fn classify(directive: &[u8]) -> Directive {
    let name_end = directive.iter().position(|&byte| byte == b'=');
    let name = super::request::trim(name_end.and_then(|end| directive.get(..end)).unwrap_or(directive));
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    if name.is_empty() || !is_closed(directive) || is(b"public") || is(b"s-maxage") {
        Directive::Drop
    } else if is(b"private") && name_end.is_some() {
        // `private="x"` protects only the named headers (RFC 9111, section 5.2.2.7). Our own `private` covers them.
        Directive::Drop
    } else if is(b"private") || directive.eq_ignore_ascii_case(b"no-store") {
        Directive::Private
    } else {
        Directive::Other
    }
}

/// Removes headers that override `Cache-Control` for caches between us and the browser: those of RFC 9213, and older
/// ones.
fn remove_directives_for_cdns(headers: &mut HeaderMap) {
    let is_for_cdns = |name: &HeaderName| {
        let name = name.as_str();
        name.ends_with("cdn-cache-control") || matches!(name, "surrogate-control" | "edge-control" | "x-accel-expires")
    };
    let names: SmallVec<[HeaderName; 2]> = headers.keys().filter(|name| is_for_cdns(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
