// A cookie's domain has no port.
use http_session::cookie_domain;

fn main() {
    let _cookie = cookie_domain!("localhost:3000");
}
