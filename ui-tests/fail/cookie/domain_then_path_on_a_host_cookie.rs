// There are two mistakes, and an error for each.
use http_session::{Cookie, cookie_domain, cookie_name, cookie_path};

fn main() {
    let _cookie = Cookie::host(cookie_name!("sid")).domain(cookie_domain!("example.com")).path(cookie_path!("/app"));
}
