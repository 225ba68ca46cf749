// `__Host-` means this host alone: browsers drop the cookie.
use http_session::{Cookie, cookie_domain, cookie_name};

fn main() {
    let _cookie = Cookie::host(cookie_name!("sid")).domain(cookie_domain!("example.com"));
}
