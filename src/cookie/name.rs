//! Names, paths and domains of cookies that browsers accept.

use std::fmt;
use std::sync::Arc;

use crate::error::{InvalidCookieDomain, InvalidCookieName, InvalidCookiePath};

/// A text from the source or from run time, cheap to clone.
#[derive(Clone)]
pub(crate) enum Text {
    Literal(&'static str),
    Shared(Arc<str>),
}

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// The methods that the three types share: a checked text, from a literal or from run time.
macro_rules! checked_text {
    ($name:ident, $error:ident, $broken_rule:ident) => {
        impl $name {
            /// Checks a literal. The macro calls this in a constant, so a panic is a compile error.
            ///
            /// # Panics
            /// If the text breaks a rule.
            #[doc(hidden)]
            #[must_use]
            #[track_caller] // so that the compiler points at the literal only
            pub const fn from_literal(text: &'static str) -> Self {
                let text = Self::canonical(text);
                match $broken_rule(text.as_bytes()) {
                    None => Self(Text::Literal(text)),
                    Some(rule) => panic!("{}", rule),
                }
            }

            /// Returns the text as it is written in the header. A name is returned without its prefix, which
            /// [`Cookie`](crate::Cookie) adds.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $error;

            fn try_from(text: &str) -> Result<Self, $error> {
                let text = Self::canonical(text);
                match $broken_rule(text.as_bytes()) {
                    None => Ok(Self(Text::Shared(text.into()))),
                    Some(_) => Err($error::new()),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                Self::try_from(text.as_str())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// The name of a cookie without its prefix: a token of 1 to 256 characters (RFC 6265bis, section 4.1.1; RFC 9110,
/// 5.6.2).
///
/// A name that begins with `__Host-` or `__Secure-`, in upper or lower case, is refused:
/// [`Cookie::host`](crate::Cookie::host) and [`Cookie::secure`](crate::Cookie::secure) add the prefix together with the
/// attributes that it requires. For a name in the source, use [`cookie_name!`](crate::cookie_name), which the compiler
/// checks.
///
/// ```
/// use http_session::{CookieName, cookie_name};
///
/// assert_eq!(CookieName::try_from("sid")?, cookie_name!("sid"));
/// assert!(CookieName::try_from("s id").is_err());
/// assert!(CookieName::try_from("__host-sid").is_err());
/// # Ok::<_, http_session::error::InvalidCookieName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieName(Text);

impl CookieName {
    const fn canonical(text: &str) -> &str {
        text
    }

    pub(crate) fn into_text(self) -> Text {
        self.0
    }
}

checked_text!(CookieName, InvalidCookieName, broken_name_rule);

/// The path below which a cookie is sent (RFC 6265bis, section 4.1.2.4): `/`, then visible ASCII without `;`.
///
/// It has at most 1024 characters, because browsers ignore a longer attribute (section 5.6). Write a space as `%20`, as
/// in the request. For a path in the source, use [`cookie_path!`](crate::cookie_path), which the compiler checks.
///
/// ```
/// use http_session::{CookiePath, cookie_path};
///
/// assert_eq!(CookiePath::try_from("/app")?, cookie_path!("/app"));
/// assert!(CookiePath::try_from("app").is_err());
/// assert!(CookiePath::try_from("/app; Domain=example.com").is_err());
/// # Ok::<_, http_session::error::InvalidCookiePath>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookiePath(Text);

impl CookiePath {
    /// The path `/`, which covers the whole host.
    pub const ROOT: Self = Self(Text::Literal("/"));

    const fn canonical(text: &str) -> &str {
        text
    }
}

checked_text!(CookiePath, InvalidCookiePath, broken_path_rule);

/// The domain whose hosts all get a cookie (RFC 6265bis, section 4.1.2.3).
///
/// It consists of labels of 1 to 63 letters, digits and inner hyphens, with at most 253 characters in all (RFC 1123,
/// section 2.1). A leading dot is removed, as in browsers. For a domain in the source, use
/// [`cookie_domain!`](crate::cookie_domain), which the compiler checks.
///
/// ```
/// use http_session::{CookieDomain, cookie_domain};
///
/// assert_eq!(CookieDomain::try_from(".example.com")?, cookie_domain!("example.com"));
/// assert!(CookieDomain::try_from("example.com.").is_err());
/// # Ok::<_, http_session::error::InvalidCookieDomain>(())
/// ```
#[derive(Clone, Debug)]
pub struct CookieDomain(Text);

impl CookieDomain {
    const fn canonical(text: &str) -> &str {
        match text.as_bytes() {
            [b'.', ..] => text.split_at(1).1,
            _ => text,
        }
    }
}

checked_text!(CookieDomain, InvalidCookieDomain, broken_domain_rule);

/// Domains are compared without regard to case (RFC 6265bis, section 5.1.3).
impl PartialEq for CookieDomain {
    fn eq(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl Eq for CookieDomain {}

const fn broken_name_rule(name: &[u8]) -> Option<&'static str> {
    if name.is_empty() || name.len() > 256 {
        return Some("a cookie name must have 1 to 256 characters");
    }
    // A prefix makes browsers demand attributes, so only `Cookie` may add it. They compare it without regard to case.
    if starts_with_ignoring_case(name, b"__host-") || starts_with_ignoring_case(name, b"__secure-") {
        return Some("write the name without its prefix: `Cookie::host(..)` and `Cookie::secure(..)` add it");
    }
    let mut rest = name;
    while let [byte, tail @ ..] = rest {
        if !is_token_byte(*byte) {
            return Some("a cookie name may contain only letters, digits and !#$%&'*+-.^_`|~");
        }
        rest = tail;
    }
    None
}

/// `tchar` of RFC 9110, section 5.6.2.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

const fn starts_with_ignoring_case(mut text: &[u8], mut prefix: &[u8]) -> bool {
    while let [expected, prefix_tail @ ..] = prefix {
        match text {
            [byte, tail @ ..] if byte.eq_ignore_ascii_case(expected) => {
                text = tail;
                prefix = prefix_tail;
            }
            _ => return false,
        }
    }
    true
}

const fn broken_path_rule(path: &[u8]) -> Option<&'static str> {
    if !matches!(path, [b'/', ..]) {
        return Some("a cookie path must begin with `/`");
    }
    if path.len() > 1024 {
        return Some("a cookie path must have at most 1024 characters");
    }
    let mut rest = path;
    while let [byte, tail @ ..] = rest {
        if !byte.is_ascii_graphic() || *byte == b';' {
            return Some(
                "a cookie path may contain only visible ASCII characters without `;` (a space is written `%20`)",
            );
        }
        rest = tail;
    }
    None
}

const fn broken_domain_rule(domain: &[u8]) -> Option<&'static str> {
    if domain.is_empty() || domain.len() > 253 {
        return Some("a cookie domain must have 1 to 253 characters");
    }
    let mut rest = domain;
    let mut label = 0;
    let mut ends_in_hyphen = false;
    while let [byte, tail @ ..] = rest {
        match byte {
            b'.' if label == 0 => return Some("a label of a cookie domain must not be empty"),
            b'.' if ends_in_hyphen => return Some("a label of a cookie domain must not end in a hyphen"),
            b'.' if tail.is_empty() => return Some("a cookie domain must not end in a dot"),
            b'.' => label = 0,
            b'-' if label == 0 => return Some("a label of a cookie domain must not begin with a hyphen"),
            b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => label += 1,
            _ => return Some("a cookie domain may contain only letters, digits, hyphens and dots: no scheme, no port"),
        }
        if label > 63 {
            return Some("a label of a cookie domain must have at most 63 characters");
        }
        ends_in_hyphen = *byte == b'-';
        rest = tail;
    }
    if ends_in_hyphen {
        return Some("a label of a cookie domain must not end in a hyphen");
    }
    None
}

/// Creates a [`CookieName`] from a literal, checked at compile time.
///
/// ```compile_fail
/// let name = http_session::cookie_name!("s id"); // a name contains no spaces
/// ```
#[macro_export]
macro_rules! cookie_name {
    ($text:expr) => {{
        const CHECKED_COOKIE_NAME: $crate::CookieName = $crate::CookieName::from_literal($text);
        CHECKED_COOKIE_NAME
    }};
}

/// Creates a [`CookiePath`] from a literal, checked at compile time.
///
/// ```compile_fail
/// let path = http_session::cookie_path!("app"); // a path begins with `/`
/// ```
#[macro_export]
macro_rules! cookie_path {
    ($text:expr) => {{
        const CHECKED_COOKIE_PATH: $crate::CookiePath = $crate::CookiePath::from_literal($text);
        CHECKED_COOKIE_PATH
    }};
}

/// Creates a [`CookieDomain`] from a literal, checked at compile time.
///
/// ```compile_fail
/// let domain = http_session::cookie_domain!("https://example.com"); // a domain has no scheme
/// ```
#[macro_export]
macro_rules! cookie_domain {
    ($text:expr) => {{
        const CHECKED_COOKIE_DOMAIN: $crate::CookieDomain = $crate::CookieDomain::from_literal($text);
        CHECKED_COOKIE_DOMAIN
    }};
}

#[cfg(test)]
mod tests;
