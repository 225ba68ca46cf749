//! The session cookie's rules, checked by the compiler.
//!
//! The parameter of [`Cookie`] says what is still open: [`HostPrefix`], [`SecurePrefix`], [`Plain`], [`PlainSecure`],
//! [`PlainInsecure`] or [`PlainAuto`]. Nobody has to write it, except in a type that keeps a `Cookie`.
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

/// The rules of the session cookie.
///
/// Given to [`Builder::cookie`](crate::config::builder::Builder::cookie). Begin with [`Cookie::host`], the strictest, and the default of
/// [`SessionConfig::builder`](crate::SessionConfig::builder). Every cookie begins `HttpOnly`, `Secure`,
/// `SameSite=Lax` and `Path=/` (OWASP Session Management Cheat Sheet, "Cookies"). What browsers would drop without a word does
/// not compile, in whatever order it is written.
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

/// Named `__Host-..`: `Secure`, `Path=/`, no `Domain`.
///
/// ```
/// # use http_session::{Cookie, config::cookie::HostPrefix, cookie_name};
/// let cookie: Cookie<HostPrefix> = Cookie::host(cookie_name!("sid"));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HostPrefix;

/// Named `__Secure-..`: `Secure`.
///
/// ```
/// # use http_session::{Cookie, config::cookie::SecurePrefix, cookie_name};
/// let cookie: Cookie<SecurePrefix> = Cookie::secure(cookie_name!("sid"));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SecurePrefix;

/// Without a prefix, `Secure` so far.
///
/// ```
/// # use http_session::{Cookie, config::cookie::Plain, cookie_name};
/// let cookie: Cookie<Plain> = Cookie::plain(cookie_name!("sid"));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Plain;

/// Without a prefix, `Secure` because `SameSite=None` or `Partitioned` demands it.
///
/// ```
/// # use http_session::{Cookie, config::cookie::PlainSecure, cookie_name};
/// let cookie: Cookie<PlainSecure> = Cookie::plain(cookie_name!("sid")).same_site_none();
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PlainSecure;

/// Without a prefix and without `Secure`.
///
/// ```
/// # use http_session::{Cookie, config::cookie::PlainInsecure, cookie_name};
/// let cookie: Cookie<PlainInsecure> = Cookie::plain(cookie_name!("sid")).insecure();
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PlainInsecure;

/// Without a prefix, `Secure` as the request's transport is.
///
/// ```
/// # use http_session::{Cookie, config::cookie::PlainAuto, cookie_name};
/// let cookie: Cookie<PlainAuto> = Cookie::plain(cookie_name!("sid")).secure_auto();
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PlainAuto;

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "the cookie's rules are not for `{Self}` to implement",
        label = "they are sealed: browsers decide what they take"
    )]
    pub trait Sealed {}
}

/// The name lets the path be another than `/`: every cookie but one with `__Host-` (RFC 6265bis, section 4.1.3.2).
///
/// ```
/// use http_session::config::cookie::PathIsFree;
/// # use http_session::{Cookie, cookie_path};
///
/// fn below_shop<P: PathIsFree>(cookie: Cookie<P>) -> Cookie<P> {
///     cookie.path(cookie_path!("/shop"))
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a `__Host-` cookie has `Path=/` and no other path",
    label = "browsers would drop this cookie",
    note = "leave out `.path(..)`, or begin with `Cookie::secure(..)` instead of `Cookie::host(..)`"
)]
pub trait PathIsFree: sealed::Sealed {}

/// The name lets the cookie have a domain: every cookie but one with `__Host-` (RFC 6265bis, section 4.1.3.2).
///
/// ```
/// use http_session::config::cookie::DomainIsFree;
/// # use http_session::{Cookie, cookie_domain};
///
/// fn everywhere<P: DomainIsFree>(cookie: Cookie<P>) -> Cookie<P> {
///     cookie.domain(cookie_domain!("example.com"))
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a `__Host-` cookie belongs to one host and has no `Domain`",
    label = "browsers would drop this cookie",
    note = "leave out `.domain(..)`, or begin with `Cookie::secure(..)` instead of `Cookie::host(..)`"
)]
pub trait DomainIsFree: sealed::Sealed {}

/// Nothing demands that the cookie is `Secure`.
///
/// ```
/// use http_session::config::cookie::{PlainInsecure, SecureIsFree};
/// # use http_session::{Cookie, cookie_name};
///
/// fn on_this_machine<P: SecureIsFree>(cookie: Cookie<P>) -> Cookie<PlainInsecure> {
///     cookie.insecure()
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "this cookie must be `Secure`: its prefix, `SameSite=None` or `Partitioned` demands it",
    label = "browsers would drop this cookie",
    note = "leave this call out; or begin with `Cookie::plain(..)` and leave out `.same_site_none()` and `.partitioned()`"
)]
pub trait SecureIsFree: sealed::Sealed {}

/// The cookie is `Secure` on every response.
///
/// ```
/// use http_session::config::cookie::SecureIsCertain;
/// # use http_session::{Cookie, cookie_name};
///
/// fn embedded<P: SecureIsCertain>(cookie: Cookie<P>) -> Cookie<P::Kept> {
///     cookie.partitioned()
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`SameSite=None` and `Partitioned` need a cookie that is always `Secure`",
    label = "browsers would drop this cookie where it is not `Secure`",
    note = "leave out `.insecure()` or `.secure_auto()`; `.same_site_auto()` is `None` only where the cookie is `Secure`"
)]
pub trait SecureIsCertain: sealed::Sealed {
    /// The rules from which `Secure` cannot be taken any more.
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
    /// A cookie named `__Host-` and this name: no other host and no plain http page can set one, so nobody can toss in his own
    /// (RFC 6265bis, section 4.1.3.2).
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_name};
    /// let cookie = Cookie::host(cookie_name!("sid")); // named `__Host-sid`
    /// ```
    pub fn host(name: CookieName) -> Self {
        Self::begin(prefixed("__Host-", name))
    }
}

impl Cookie<SecurePrefix> {
    /// A cookie named `__Secure-` and this name: only https pages can set one (RFC 6265bis, section 4.1.3.1).
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_domain, cookie_name};
    /// let cookie = Cookie::secure(cookie_name!("sid")).domain(cookie_domain!("example.com")); // named `__Secure-sid`
    /// ```
    pub fn secure(name: CookieName) -> Self {
        Self::begin(prefixed("__Secure-", name))
    }
}

impl Cookie<Plain> {
    /// A cookie of exactly this name. Any host of the domain can set one of the same name.
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_name};
    /// let cookie = Cookie::plain(cookie_name!("connect.sid"));
    /// ```
    pub fn plain(name: CookieName) -> Self {
        Self::begin(name.into_text())
    }
}

impl Cookie<PlainInsecure> {
    /// For development on this machine (R23): a name that no production configuration reads, without `Secure`.
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

    /// Sent below this path alone; outside it there is no session (R22). No protection between paths: scripts of one host reach
    /// all (RFC 6265bis, sections 8.5 and 8.6). Not on a `__Host-` cookie.
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_name, cookie_path};
    /// let cookie = Cookie::secure(cookie_name!("sid")).path(cookie_path!("/shop"));
    /// ```
    pub fn path(self, path: CookiePath) -> Self
    where
        P: PathIsFree,
    {
        self.with(|attributes| attributes.path = path)
    }

    /// Sent to every host of this domain. Each of them can then read and replace the session's cookie (RFC 6265bis, sections
    /// 8.5 and 8.6). Not on a `__Host-` cookie.
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_domain, cookie_name};
    /// let cookie = Cookie::secure(cookie_name!("sid")).domain(cookie_domain!("example.com"));
    /// ```
    pub fn domain(self, domain: CookieDomain) -> Self
    where
        P: DomainIsFree,
    {
        self.with(|attributes| attributes.domain = Some(domain))
    }

    /// Without `HttpOnly`: every script on the page can steal the session.
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_name};
    /// let cookie = Cookie::host(cookie_name!("sid")).readable_by_scripts(); // express: httpOnly: false
    /// ```
    #[doc(alias = "httpOnly")]
    pub fn readable_by_scripts(self) -> Self {
        self.with(|attributes| attributes.http_only = false)
    }

    /// Without `Secure`: whoever listens on the network can steal the session. For your own machine there is
    /// [`SessionConfig::development`](crate::SessionConfig::development).
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_name};
    /// let cookie = Cookie::plain(cookie_name!("sid")).insecure(); // express: secure: false
    /// ```
    pub fn insecure(self) -> Cookie<PlainInsecure>
    where
        P: SecureIsFree,
    {
        self.becoming(|attributes| attributes.secure = SecureRule::Never)
    }

    /// `Secure` where the request came in over https (R19), as express's `secure: 'auto'`. Never turned off again for a
    /// session that had it; one that began on http gets a new verifier with its first use over https.
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_name};
    /// let cookie = Cookie::plain(cookie_name!("sid")).secure_auto().same_site_auto();
    /// ```
    pub fn secure_auto(self) -> Cookie<PlainAuto>
    where
        P: SecureIsFree,
    {
        self.becoming(|attributes| attributes.secure = SecureRule::Auto)
    }

    /// `SameSite=Strict`: a visitor who follows a link from elsewhere comes without his session.
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_name};
    /// let cookie = Cookie::host(cookie_name!("sid")).same_site_strict(); // express: sameSite: 'strict'
    /// ```
    #[doc(alias = "sameSite")]
    pub fn same_site_strict(self) -> Self {
        self.with(|attributes| attributes.same_site = SameSiteRule::Strict)
    }

    /// `SameSite=Lax`, the default: sent along when the visitor follows a link from elsewhere, not with a form that is posted
    /// from there (RFC 6265bis, section 4.1.2.7).
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_name};
    /// let cookie = Cookie::host(cookie_name!("sid")).same_site_lax(); // express: sameSite: 'lax'
    /// ```
    pub fn same_site_lax(self) -> Self {
        self.with(|attributes| attributes.same_site = SameSiteRule::Lax)
    }

    /// `SameSite=None`: sent with every request from everywhere; protect what changes state against CSRF. The cookie must be
    /// `Secure`.
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_name};
    /// let cookie = Cookie::host(cookie_name!("sid")).same_site_none(); // express: sameSite: 'none'
    /// ```
    pub fn same_site_none<Kept>(self) -> Cookie<Kept>
    where
        P: SecureIsCertain<Kept = Kept>,
    {
        self.becoming(|attributes| attributes.same_site = SameSiteRule::None)
    }

    /// `SameSite=None` where the cookie is `Secure`, else `Lax` (express 1.19: `sameSite: 'auto'`).
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_name};
    /// let cookie = Cookie::plain(cookie_name!("sid")).secure_auto().same_site_auto();
    /// ```
    pub fn same_site_auto(self) -> Self {
        self.with(|attributes| attributes.same_site = SameSiteRule::Auto)
    }

    /// Without `SameSite`: what that means is the browser's choice.
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_name};
    /// let cookie = Cookie::host(cookie_name!("sid")).without_same_site(); // express: sameSite: false
    /// ```
    pub fn without_same_site(self) -> Self {
        self.with(|attributes| attributes.same_site = SameSiteRule::Omit)
    }

    /// `Partitioned` (CHIPS): embedded in other sites, a session for each of them. The cookie must be `Secure`.
    ///
    /// ```
    /// # use http_session::{Cookie, cookie_name};
    /// let cookie = Cookie::host(cookie_name!("sid")).same_site_none().partitioned();
    /// ```
    pub fn partitioned<Kept>(self) -> Cookie<Kept>
    where
        P: SecureIsCertain<Kept = Kept>,
    {
        self.becoming(|attributes| attributes.partitioned = true)
    }

    /// Chromium's `Priority`: which cookies it drops last.
    ///
    /// ```
    /// # use http_session::{Cookie, config::Priority, cookie_name};
    /// let cookie = Cookie::host(cookie_name!("sid")).priority(Priority::High);
    /// ```
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
    fn todays_right_defaults() {
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
