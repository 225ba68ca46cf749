//! Origins (RFC 6454), in the form in which browsers write them.

use std::borrow::Cow;
use std::fmt;

use crate::cookie::transport::Transport;
use crate::error::InvalidOrigin;

/// Another origin whose pages may send requests that change something. Set with
/// [`Builder::trust_origin`](crate::config::builder::Builder::trust_origin).
///
/// Write it exactly as browsers write `Origin` (RFC 6454, section 6.2): scheme, host in lower case, and the port if it
/// is not the scheme's default. There are no wildcards. For an origin in the source, use
/// [`trusted_origin!`](crate::trusted_origin), which the compiler checks.
///
/// ```
/// use http_session::{csrf::TrustedOrigin, trusted_origin};
///
/// assert_eq!(TrustedOrigin::try_from("https://pay.example.com")?, trusted_origin!("https://pay.example.com"));
/// assert!(TrustedOrigin::try_from("https://pay.example.com/").is_err());
/// assert!(TrustedOrigin::try_from("https://pay.example.com:443").is_err());
/// assert!(TrustedOrigin::try_from("null").is_err());
/// # Ok::<_, http_session::error::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedOrigin(Cow<'static, str>);

impl TrustedOrigin {
    /// Checks a literal. The macro calls this in a constant, so a panic is a compile error.
    ///
    /// # Panics
    /// If the text breaks a rule.
    #[doc(hidden)]
    #[must_use]
    #[track_caller] // so that the compiler points at the literal only
    pub const fn from_literal(text: &'static str) -> Self {
        match broken_rule(text.as_bytes()) {
            None => Self(Cow::Borrowed(text)),
            Some(rule) => panic!("{}", rule),
        }
    }

    /// Returns the text, as browsers write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for TrustedOrigin {
    type Error = InvalidOrigin;

    fn try_from(text: &str) -> Result<Self, InvalidOrigin> {
        match broken_rule(text.as_bytes()) {
            None => Ok(Self(Cow::Owned(text.to_owned()))),
            Some(_) => Err(InvalidOrigin::new()),
        }
    }
}

impl TryFrom<String> for TrustedOrigin {
    type Error = InvalidOrigin;

    fn try_from(text: String) -> Result<Self, InvalidOrigin> {
        Self::try_from(text.as_str())
    }
}

impl fmt::Display for TrustedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Creates a [`TrustedOrigin`] from a literal, checked at compile time.
///
/// ```compile_fail
/// let origin = http_session::trusted_origin!("https://*.example.com"); // an origin contains no wildcard
/// ```
#[macro_export]
macro_rules! trusted_origin {
    ($text:expr) => {{
        const CHECKED_ORIGIN: $crate::csrf::TrustedOrigin = $crate::csrf::TrustedOrigin::from_literal($text);
        CHECKED_ORIGIN
    }};
}

const fn broken_rule(text: &[u8]) -> Option<&'static str> {
    let mut rest = text;
    let mut scheme = 0;
    loop {
        match rest {
            [b':', b'/', b'/', host @ ..] if scheme > 0 => {
                rest = host;
                break;
            }
            [b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.', tail @ ..] => {
                scheme += 1;
                rest = tail;
            }
            _ => return Some("an origin must begin with a scheme in lower case and `://`"),
        }
    }
    let is_https = matches!(text, [b'h', b't', b't', b'p', b's', b':', ..]);
    let is_http = matches!(text, [b'h', b't', b't', b'p', b':', ..]);
    match rest {
        [] => return Some("an origin must have a host"),
        [.., b':', b'4', b'4', b'3'] if is_https => {
            return Some("write the origin without `:443`, which browsers leave out for https");
        }
        [.., b':', b'8', b'0'] if is_http => {
            return Some("write the origin without `:80`, which browsers leave out for http");
        }
        _ => {}
    }
    while let [byte, tail @ ..] = rest {
        match byte {
            b'*' => return Some("an origin must not contain a wildcard: add each origin by itself"),
            b'A'..=b'Z' => return Some("write the host in lower case, as browsers do"),
            b'/' | b'?' | b'#' => return Some("an origin must not have a path (not even `/`), a query or a fragment"),
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' | b'[' | b']' => {}
            _ => return Some("the host of an origin may contain only letters, digits, hyphens and dots, and a port"),
        }
        rest = tail;
    }
    None
}

/// Whether an `Origin` is this site's own origin.
///
/// Its host and port must be those of the request, and its scheme that of the transport, if the transport is known. The
/// scheme's default port may be left out.
pub(crate) fn is_own(origin: &[u8], host: &[u8], transport: Option<Transport>) -> bool {
    let (rest, own_port, encrypted): (_, &[u8], _) = if let Some(rest) = origin.strip_prefix(b"https://") {
        (rest, b":443", true)
    } else if let Some(rest) = origin.strip_prefix(b"http://") {
        (rest, b":80", false)
    } else {
        return false;
    };
    let scheme_fits = match transport {
        Some(Transport::Secure) => encrypted,
        Some(Transport::Insecure) => !encrypted,
        None => true,
    };
    let host = host.strip_suffix(own_port).unwrap_or(host);
    scheme_fits && !host.is_empty() && rest.eq_ignore_ascii_case(host)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Transport::{Insecure, Secure};
    use super::*;

    #[test]
    fn r24_trusted_origins_are_written_as_browsers_write_them() {
        for text in [
            "https://pay.example.com",
            "https://pay.example.com:8443",
            "http://localhost:3000",
            "http://pay.example.com:443",
            "https://[2001:db8::1]:8443",
            "chrome-extension://abcdefghijklmnop",
            "capacitor://localhost",
        ] {
            assert!(TrustedOrigin::try_from(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "null",
            "*",
            "pay.example.com",
            "//pay.example.com",
            "://pay.example.com",
            "https:/pay.example.com",
            "https://",
            "https://*",
            "https://*.example.com",
            "https://pay.example.com/",
            "https://pay.example.com/a",
            "https://pay.example.com?a",
            "https://pay.example.com#a",
            "https://ada@pay.example.com",
            "https://pay.example.com:443",
            "http://pay.example.com:80",
            "HTTPS://pay.example.com",
            "https://Pay.example.com",
            "https://pay.example.com ",
            " https://pay.example.com",
            "https://b\u{fc}cher.example",
        ] {
            assert!(TrustedOrigin::try_from(text).is_err(), "{text}");
        }
    }

    #[test]
    fn r24_an_origin_is_compared_with_the_host_and_the_scheme_where_it_is_known() {
        let own = |origin: &str, host: &str, transport| is_own(origin.as_bytes(), host.as_bytes(), transport);
        for (origin, host, transport) in [
            ("https://example.com", "example.com", None),
            ("http://example.com", "example.com", None),
            ("https://example.com", "EXAMPLE.com:443", Some(Secure)),
            ("http://example.com", "example.com:80", Some(Insecure)),
            ("http://localhost:3000", "localhost:3000", Some(Insecure)),
            ("https://[::1]:8443", "[::1]:8443", Some(Secure)),
        ] {
            assert!(own(origin, host, transport), "{origin} {host}");
        }
        for (origin, host, transport) in [
            ("http://example.com", "example.com", Some(Secure)),
            ("https://example.com", "example.com", Some(Insecure)),
            ("https://example.com", "example.com:80", None),
            ("http://example.com", "example.com:443", None),
            ("https://example.com:8443", "example.com", None),
            ("https://example.com", "example.com:8443", None),
            ("https://evil.com", "example.com", None),
            ("https://example.com.evil.com", "example.com", None),
            ("https://evilexample.com", "example.com", None),
            ("https://www.example.com", "example.com", None),
            ("https://example.com/", "example.com", None),
            ("https://", "", None),
            ("https://:443", ":443", None),
            ("null", "null", None),
            ("", "", None),
            ("example.com", "example.com", None),
            ("ftp://example.com", "example.com", None),
        ] {
            assert!(!own(origin, host, transport), "{origin} {host}");
        }
    }

    proptest! {
        #[test]
        fn r24_any_origin_is_judged(origin in proptest::collection::vec(any::<u8>(), 0..40), host in ".{0,20}", text in ".{0,40}") {
            let _ = is_own(&origin, host.as_bytes(), None);
            let _ = TrustedOrigin::try_from(text);
        }

        #[test]
        fn r24_a_site_is_its_own_origin(host in "[a-z]{1,8}(\\.[a-z]{1,8}){0,2}(:[1-9][0-9]{3})?", other in "[a-z]{1,8}") {
            let (own, foreign) = (format!("https://{host}"), format!("https://{other}.{host}"));
            prop_assert!(is_own(own.as_bytes(), host.as_bytes(), Some(Secure)));
            prop_assert!(!is_own(own.as_bytes(), host.as_bytes(), Some(Insecure)));
            prop_assert!(!is_own(foreign.as_bytes(), host.as_bytes(), None));
        }
    }
}
