// Browsers never match such a domain.
use http_session::cookie_domain;

fn main() {
    let _cookie = cookie_domain!("example.com.");
}
