//! The attributes of the session cookie: the configured rules, and what they become for one response.

use std::time::Duration;

use crate::cookie::transport::Transport;

use super::name::{CookieDomain, CookiePath, Text};

/// Whether a browser sends the cookie with requests that come from another site (RFC 6265bis, section 4.1.2.7).
///
/// [`Cookie`](crate::Cookie) sets it for all sessions, and
/// [`SessionCookie::same_site`](crate::SessionCookie::same_site) for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SameSite {
    /// The cookie is not sent.
    Strict,
    /// The cookie is sent only if the user follows a link (a top-level request with a safe method).
    Lax,
    /// The cookie is sent. Browsers require `Secure` with it.
    None,
}

/// Which cookies a browser drops first if a site has too many (Chromium's `Priority` attribute, which is not a
/// standard).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// The cookie is dropped first.
    Low,
    /// The same as without the attribute.
    Medium,
    /// The cookie is dropped last.
    High,
}

/// The configured rule for `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecureRule {
    Always,
    Never,
    /// If the request came in over https (express: `secure: 'auto'`).
    Auto,
}

/// The configured rule for `SameSite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SameSiteRule {
    Strict,
    Lax,
    None,
    /// `None` if the cookie is `Secure`, otherwise `Lax` (express 1.19: `sameSite: 'auto'`).
    Auto,
    Omit,
}

/// The configured rules of the session cookie.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    /// The name with its prefix.
    pub(crate) name: Text,
    pub(crate) path: CookiePath,
    pub(crate) domain: Option<CookieDomain>,
    pub(crate) http_only: bool,
    pub(crate) secure: SecureRule,
    pub(crate) same_site: SameSiteRule,
    pub(crate) partitioned: bool,
    pub(crate) priority: Option<Priority>,
    pub(crate) max_age: Option<Duration>,
}

impl Attributes {
    /// express-session's defaults: its options `name` and `cookie`.
    pub(crate) const fn express() -> Self {
        Self {
            name: Text::Literal("connect.sid"),
            path: CookiePath::ROOT,
            domain: None,
            http_only: true,
            secure: SecureRule::Never,
            same_site: SameSiteRule::Omit,
            partitioned: false,
            priority: None,
            max_age: None,
        }
    }

    /// The attributes for one response. An unknown transport counts as insecure (R19).
    pub(crate) fn resolve(&self, transport: Option<Transport>) -> Resolved {
        let secure = match self.secure {
            SecureRule::Always => true,
            SecureRule::Never => false,
            SecureRule::Auto => transport == Some(Transport::Secure),
        };
        Resolved {
            name: self.name.clone(),
            path: self.path.clone(),
            domain: self.domain.clone(),
            http_only: self.http_only,
            secure,
            same_site: match self.same_site {
                SameSiteRule::Strict => Some(SameSite::Strict),
                SameSiteRule::Lax => Some(SameSite::Lax),
                SameSiteRule::None => Some(SameSite::None),
                SameSiteRule::Auto if secure => Some(SameSite::None),
                SameSiteRule::Auto => Some(SameSite::Lax),
                SameSiteRule::Omit => None,
            },
            partitioned: self.partitioned && secure,
            priority: self.priority,
            max_age: self.max_age,
        }
    }
}

/// The attributes for one response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The name with its prefix.
    pub(crate) name: Text,
    pub(crate) path: CookiePath,
    pub(crate) domain: Option<CookieDomain>,
    pub(crate) http_only: bool,
    pub(crate) secure: bool,
    pub(crate) same_site: Option<SameSite>,
    pub(crate) partitioned: bool,
    pub(crate) priority: Option<Priority>,
    pub(crate) max_age: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn express_defaults() {
        let express = Attributes::express().resolve(None);
        assert_eq!(express.name.as_str(), "connect.sid");
        assert_eq!(express.path.as_str(), "/");
        assert!(express.http_only && !express.secure && !express.partitioned);
        assert_eq!((express.same_site, express.domain, express.max_age), (None, None, None));
    }

    #[test]
    fn r19_auto_follows_a_known_transport() {
        let auto = Attributes {
            secure: SecureRule::Auto,
            same_site: SameSiteRule::Auto,
            partitioned: true,
            ..Attributes::express()
        };
        let on = |transport| {
            let resolved = auto.resolve(transport);
            (resolved.secure, resolved.same_site, resolved.partitioned)
        };
        assert_eq!(on(Some(Transport::Secure)), (true, Some(SameSite::None), true));
        assert_eq!(on(Some(Transport::Insecure)), (false, Some(SameSite::Lax), false));
        assert_eq!(on(None), (false, Some(SameSite::Lax), false));
    }
}
