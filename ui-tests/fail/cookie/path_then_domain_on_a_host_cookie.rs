// There are two mistakes, and an error for each, in the other order too.
use http_session::{Cookie, cookie_domain, cookie_name, cookie_path};

fn main() {
    let _cookie = Cookie::host(cookie_name!("sid")).path(cookie_path!("/app")).domain(cookie_domain!("example.com"));
}
