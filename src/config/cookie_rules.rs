//! The rules for the session cookie, checked by the compiler.
//!
//! The type parameter of [`Cookie`] records the prefix of its name, and whether it is `Secure`: [`HostPrefix`],
//! [`SecurePrefix`], [`Plain`], [`PlainSecure`], [`PlainInsecure`] or [`PlainAuto`]. You have to name it only in a type
//! that contains a `Cookie`:
//!
//! ```
//! use http_session::config::cookie::HostPrefix;
//! use http_session::{Cookie, cookie_name};
//!
//! struct Settings {
//!     cookie: Cookie<HostPrefix>,
//! }
//!
//! let settings = Settings { cookie: Cookie::host(cookie_name!("sid")) };
//! ```

use std::marker::PhantomData;
use std::sync::Arc;

use crate::cookie::attributes::{Attributes, SameSiteRule, SecureRule};
use crate::cookie::{CookieDomain, CookieName, CookiePath, Priority, Text};

/// The name and attributes of the session cookie, for [`Builder::cookie`](crate::config::builder::Builder::cookie).
///
/// Start with [`Cookie::host`], the strictest kind and the default of
/// [`SessionConfig::builder`](crate::SessionConfig::builder). Every cookie starts with `HttpOnly`, `Secure`,
/// `SameSite=Lax` and `Path=/` (OWASP Session Management Cheat Sheet, "Cookies").
///
/// Browsers silently drop a cookie whose attributes contradict each other. Such a combination does not compile,
/// whatever the order of the calls.
///
/// ```
/// use http_session::{Cookie, cookie_domain, cookie_name, cookie_path};
///
/// let strictest = Cookie::host(cookie_name!("sid")).same_site_strict();
/// let shop = Cookie::secure(cookie_name!("sid")).domain(cookie_domain!("example.com")).path(cookie_path!("/shop"));
/// let embedded = Cookie::host(cookie_name!("sid")).same_site_none().partitioned();
/// ```
///
/// ```compile_fail,E0277
/// use http_session::{Cookie, cookie_name};
///
/// let dropped_by_browsers = Cookie::plain(cookie_name!("sid")).insecure().same_site_none();
/// ```
#[derive(Clone, Debug)]
#[must_use = "cookie rules do nothing until a configuration takes them"]
pub struct Cookie<P> {
    attributes: Attributes,
    rules: PhantomData<P>,
}

/// The name starts with `__Host-`: always `Secure`, `Path=/` and no `Domain`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HostPrefix;

/// The name starts with `__Secure-`: always `Secure`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SecurePrefix;

/// The name has no prefix. The cookie is `Secure`, and this can still be changed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Plain;

/// The name has no prefix. The cookie is always `Secure`, because `SameSite=None` or `Partitioned` requires it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PlainSecure;

/// The name has no prefix, and the cookie is not `Secure`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PlainInsecure;

/// The name has no prefix. The cookie is `Secure` if the request came in over https.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PlainAuto;

// Each trait below is one thing that browsers allow (RFC 6265bis and CHIPS), and each type above implements the traits
// that apply to it. Browsers silently drop a cookie that breaks a rule. So with a wrong `impl`, no session works, and
// the server sees no error.

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot implement a rule of the session cookie",
        label = "these traits are sealed: they state what browsers accept"
    )]
    #[expect(unnameable_types, reason = "sealed: only this crate implements it")]
    pub trait Sealed {}
}

/// The path can be set: every cookie except a `__Host-` cookie (RFC 6265bis, section 4.1.3.2).
#[diagnostic::on_unimplemented(
    message = "a `__Host-` cookie always has `Path=/`",
    label = "browsers would drop this cookie",
    note = "remove `.path(..)`, or start with `Cookie::secure(..)` instead of `Cookie::host(..)`"
)]
pub trait PathIsFree: sealed::Sealed {}

/// The domain can be set: every cookie except a `__Host-` cookie (RFC 6265bis, section 4.1.3.2).
#[diagnostic::on_unimplemented(
    message = "a `__Host-` cookie belongs to one host and cannot have a `Domain`",
    label = "browsers would drop this cookie",
    note = "remove `.domain(..)`, or start with `Cookie::secure(..)` instead of `Cookie::host(..)`"
)]
pub trait DomainIsFree: sealed::Sealed {}

/// The cookie does not have to be `Secure`, so this can be changed.
#[diagnostic::on_unimplemented(
    message = "this cookie must be `Secure`: its prefix, `SameSite=None` or `Partitioned` requires it",
    label = "browsers would drop this cookie",
    note = "remove this call; or start with `Cookie::plain(..)` and remove `.same_site_none()` and `.partitioned()`"
)]
pub trait SecureIsFree: sealed::Sealed {}

/// The cookie is `Secure` on every response.
#[diagnostic::on_unimplemented(
    message = "`SameSite=None` and `Partitioned` need a cookie that is always `Secure`",
    label = "browsers would drop this cookie whenever it is not `Secure`",
    note = "remove `.insecure()` or `.secure_auto()`; or use `.same_site_auto()`, which is `None` only if the cookie is `Secure`"
)]
pub trait SecureIsCertain: sealed::Sealed {
    /// The same kind of cookie, from which `Secure` can no longer be removed.
    type Kept;
}

impl sealed::Sealed for HostPrefix {}
impl SecureIsCertain for HostPrefix {
    type Kept = Self;
}

impl sealed::Sealed for SecurePrefix {}
impl PathIsFree for SecurePrefix {}
impl DomainIsFree for SecurePrefix {}
impl SecureIsCertain for SecurePrefix {
    type Kept = Self;
}

impl sealed::Sealed for Plain {}
impl PathIsFree for Plain {}
impl DomainIsFree for Plain {}
impl SecureIsFree for Plain {}
impl SecureIsCertain for Plain {
    type Kept = PlainSecure;
}

impl sealed::Sealed for PlainSecure {}
impl PathIsFree for PlainSecure {}
impl DomainIsFree for PlainSecure {}
impl SecureIsCertain for PlainSecure {
    type Kept = Self;
}

impl sealed::Sealed for PlainInsecure {}
impl PathIsFree for PlainInsecure {}
impl DomainIsFree for PlainInsecure {}
impl SecureIsFree for PlainInsecure {}

impl sealed::Sealed for PlainAuto {}
impl PathIsFree for PlainAuto {}
impl DomainIsFree for PlainAuto {}
impl SecureIsFree for PlainAuto {}

impl Cookie<HostPrefix> {
    /// Creates a cookie whose name is `__Host-` followed by this name (RFC 6265bis, section 4.1.3.2).
    ///
    /// Browsers accept it only from this host over https. So neither another subdomain nor a page over plain http can
    /// plant a cookie of this name.
    pub fn host(name: CookieName) -> Self {
        Self::begin(prefixed("__Host-", name))
    }
}

impl Cookie<SecurePrefix> {
    /// Creates a cookie whose name is `__Secure-` followed by this name (RFC 6265bis, section 4.1.3.1).
    ///
    /// Browsers accept it only over https. Other subdomains can set a cookie of this name.
    pub fn secure(name: CookieName) -> Self {
        Self::begin(prefixed("__Secure-", name))
    }
}

impl Cookie<Plain> {
    /// Creates a cookie with exactly this name. Any host of the domain can set a cookie of the same name.
    pub fn plain(name: CookieName) -> Self {
        Self::begin(name.into_text())
    }
}

impl Cookie<PlainInsecure> {
    /// The cookie for development on this machine (R23): without `Secure`, under a name that the other presets do not
    /// use.
    pub(crate) fn development() -> Self {
        Cookie::plain(CookieName::from_literal("sid-development")).insecure()
    }
}

fn prefixed(prefix: &str, name: CookieName) -> Text {
    Text::Shared(Arc::from([prefix, name.into_text().as_str()].concat()))
}

impl<P> Cookie<P> {
    fn begin(name: Text) -> Self {
        let attributes =
            Attributes { name, secure: SecureRule::Always, same_site: SameSiteRule::Lax, ..Attributes::express() };
        Self { attributes, rules: PhantomData }
    }

    fn with(self, change: impl FnOnce(&mut Attributes)) -> Self {
        self.becoming(change)
    }

    fn becoming<Q>(mut self, change: impl FnOnce(&mut Attributes)) -> Cookie<Q> {
        change(&mut self.attributes);
        Cookie { attributes: self.attributes, rules: PhantomData }
    }

    /// Restricts the cookie to this path and the paths below it. Requests to other paths have no session. Not available
    /// for a `__Host-` cookie.
    ///
    /// This does not protect one path from another: scripts on the same host can reach all paths (RFC 6265bis, sections
    /// 8.5 and 8.6).
    pub fn path(self, path: CookiePath) -> Self
    where
        P: PathIsFree,
    {
        self.with(|attributes| attributes.path = path)
    }

    /// Sends the cookie to every host of this domain. Each of those hosts can then read and replace it (RFC 6265bis,
    /// sections 8.5 and 8.6). Not available for a `__Host-` cookie.
    pub fn domain(self, domain: CookieDomain) -> Self
    where
        P: DomainIsFree,
    {
        self.with(|attributes| attributes.domain = Some(domain))
    }

    /// Removes `HttpOnly` (express: `httpOnly: false`). Every script on the page can then steal the session.
    #[doc(alias = "httpOnly")]
    pub fn readable_by_scripts(self) -> Self {
        self.with(|attributes| attributes.http_only = false)
    }

    /// Removes `Secure` (express: `secure: false`). Anyone who listens on the network can then steal the session.
    ///
    /// For development on your own machine, use [`SessionConfig::development`](crate::SessionConfig::development).
    pub fn insecure(self) -> Cookie<PlainInsecure>
    where
        P: SecureIsFree,
    {
        self.becoming(|attributes| attributes.secure = SecureRule::Never)
    }

    /// Sets `Secure` if the request came in over https (express: `secure: 'auto'`).
    ///
    /// A session that has had a `Secure` cookie keeps it. A session that began over http gets a new verifier at its
    /// first use over https.
    pub fn secure_auto(self) -> Cookie<PlainAuto>
    where
        P: SecureIsFree,
    {
        self.becoming(|attributes| attributes.secure = SecureRule::Auto)
    }

    /// Sets `SameSite=Strict` (express: `sameSite: 'strict'`). A visitor who follows a link from another site arrives
    /// without a session.
    #[doc(alias = "sameSite")]
    pub fn same_site_strict(self) -> Self {
        self.with(|attributes| attributes.same_site = SameSiteRule::Strict)
    }

    /// Sets `SameSite=Lax`, the default (express: `sameSite: 'lax'`). The cookie is sent if the visitor follows a link
    /// from another site, but not with a form that another site posts (RFC 6265bis, section 4.1.2.7).
    pub fn same_site_lax(self) -> Self {
        self.with(|attributes| attributes.same_site = SameSiteRule::Lax)
    }

    /// Sets `SameSite=None` (express: `sameSite: 'none'`). The cookie is sent with every request from any site, so
    /// protect requests that change something against [CSRF](crate::guide::csrf). The cookie must be `Secure`.
    pub fn same_site_none<Kept>(self) -> Cookie<Kept>
    where
        P: SecureIsCertain<Kept = Kept>,
    {
        self.becoming(|attributes| attributes.same_site = SameSiteRule::None)
    }

    /// Sets `SameSite=None` if the cookie is `Secure`, otherwise `Lax` (express 1.19: `sameSite: 'auto'`).
    pub fn same_site_auto(self) -> Self {
        self.with(|attributes| attributes.same_site = SameSiteRule::Auto)
    }

    /// Removes `SameSite` (express: `sameSite: false`). Each browser then applies its own default.
    pub fn without_same_site(self) -> Self {
        self.with(|attributes| attributes.same_site = SameSiteRule::Omit)
    }

    /// Sets `Partitioned` (CHIPS). Embedded in other sites, the service has a separate session for each of those sites.
    /// The cookie must be `Secure`.
    pub fn partitioned<Kept>(self) -> Cookie<Kept>
    where
        P: SecureIsCertain<Kept = Kept>,
    {
        self.becoming(|attributes| attributes.partitioned = true)
    }

    /// Sets Chromium's `Priority`, which decides what cookies it drops last.
    pub fn priority(self, priority: Priority) -> Self {
        self.with(|attributes| attributes.priority = Some(priority))
    }

    pub(crate) fn into_attributes(self) -> Attributes {
        self.attributes
    }
}

#[cfg(test)]
mod tests {
    use crate::{SameSite, cookie_domain, cookie_name, cookie_path};

    use super::*;

    #[test]
    fn prefixes_come_from_the_rules() {
        let name = |attributes: Attributes| attributes.name.as_str().to_owned();
        assert_eq!(name(Cookie::host(cookie_name!("sid")).into_attributes()), "__Host-sid");
        assert_eq!(name(Cookie::secure(cookie_name!("sid")).into_attributes()), "__Secure-sid");
        assert_eq!(name(Cookie::plain(cookie_name!("sid")).into_attributes()), "sid");
    }

    #[test]
    fn a_host_cookie_starts_strict() {
        let host = Cookie::host(cookie_name!("sid")).into_attributes().resolve(None);
        assert!(host.secure && host.http_only && !host.partitioned);
        assert_eq!((host.path.as_str(), host.domain, host.same_site), ("/", None, Some(SameSite::Lax)));
    }

    #[test]
    fn r23_the_development_cookie_has_a_name_of_its_own() {
        let development = Cookie::development().into_attributes().resolve(None);
        assert_eq!(development.name.as_str(), "sid-development");
        assert!(!development.secure && development.http_only);
        assert_eq!(development.same_site, Some(SameSite::Lax));
    }

    #[test]
    fn every_setter_reaches_the_attributes() {
        let cookie: Cookie<PlainSecure> = Cookie::plain(cookie_name!("sid"))
            .same_site_none()
            .partitioned()
            .path(cookie_path!("/app"))
            .domain(cookie_domain!("example.com"))
            .readable_by_scripts()
            .priority(Priority::High);
        let resolved = cookie.into_attributes().resolve(None);
        assert!(resolved.secure && resolved.partitioned && !resolved.http_only);
        assert_eq!((resolved.path.as_str(), resolved.domain), ("/app", Some(cookie_domain!("example.com"))));
        assert_eq!((resolved.same_site, resolved.priority), (Some(SameSite::None), Some(Priority::High)));
        let rule = |cookie: Cookie<PlainAuto>| cookie.into_attributes().same_site;
        let auto = Cookie::plain(cookie_name!("sid")).insecure().secure_auto();
        assert_eq!(rule(auto.clone().same_site_auto()), SameSiteRule::Auto);
        assert_eq!(rule(auto.clone().same_site_strict()), SameSiteRule::Strict);
        assert_eq!(rule(auto.clone().same_site_strict().same_site_lax()), SameSiteRule::Lax);
        assert_eq!(rule(auto.without_same_site()), SameSiteRule::Omit);
    }
}
