// Every combination of cookie rules that browsers accept.
#![deny(warnings)]

use http_session::config::cookie::{HostPrefix, Plain, PlainAuto, PlainInsecure, PlainSecure, SecurePrefix};
use http_session::{Cookie, CookieDomain, CookieName, CookiePath, config::Priority, SessionConfig, cookie_domain, cookie_name, cookie_path};

const NAME: &str = "shop-sid";

struct Rules {
    host: Cookie<HostPrefix>,
    secure: Cookie<SecurePrefix>,
    plain: Cookie<Plain>,
    plain_secure: Cookie<PlainSecure>,
    insecure: Cookie<PlainInsecure>,
    auto: Cookie<PlainAuto>,
}

fn rules() -> Rules {
    let name = || cookie_name!("sid");
    Rules {
        host: Cookie::host(name()).same_site_none().partitioned().readable_by_scripts().priority(Priority::High),
        secure: Cookie::secure(name())
            .partitioned()
            .domain(cookie_domain!("example.com"))
            .path(cookie_path!("/app"))
            .same_site_none(),
        plain: Cookie::plain(name()).path(cookie_path!("/")).domain(cookie_domain!(".example.com")).same_site_strict(),
        plain_secure: Cookie::plain(name()).same_site_none().partitioned().same_site_none().same_site_lax(),
        insecure: Cookie::plain(name()).insecure().same_site_auto().path(cookie_path!("/a")).insecure(),
        auto: Cookie::plain(name()).insecure().secure_auto().domain(cookie_domain!("localhost")).same_site_auto(),
    }
}

// The macros accept constants, in generic functions too.
fn named<T>(_: T) -> Cookie<HostPrefix> {
    Cookie::host(cookie_name!(NAME)).without_same_site()
}

fn at_run_time(name: String, domain: &str, path: &str) -> Option<Cookie<SecurePrefix>> {
    let cookie = Cookie::secure(CookieName::try_from(name).ok()?);
    Some(cookie.domain(CookieDomain::try_from(domain).ok()?).path(CookiePath::try_from(path).ok()?))
}

fn main() {
    let Rules { host, secure, plain, plain_secure, insecure, auto } = rules();
    let _ = SessionConfig::builder().cookie(host.clone());
    let _ = SessionConfig::builder().cookie(secure).cookie(plain);
    let _ = SessionConfig::express().cookie(plain_secure);
    let _ = SessionConfig::express().cookie(auto);
    let _ = SessionConfig::development().cookie(insecure);
    let _ = SessionConfig::builder().cookie(named(1));
    let _ = at_run_time(String::from("sid"), "example.com", "/app");
    drop(host);
}
