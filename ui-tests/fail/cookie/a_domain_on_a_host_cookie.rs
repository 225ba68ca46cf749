// Browsers drop a `__Host-` cookie that has a `Domain`.
use http_session::{Cookie, cookie_domain, cookie_name};

fn main() {
    let _cookie = Cookie::host(cookie_name!("sid")).domain(cookie_domain!("example.com"));
}
