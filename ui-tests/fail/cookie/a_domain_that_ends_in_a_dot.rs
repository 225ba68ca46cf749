// Browsers never match it.
use http_session::cookie_domain;

fn main() {
    let _cookie = cookie_domain!("example.com.");
}
