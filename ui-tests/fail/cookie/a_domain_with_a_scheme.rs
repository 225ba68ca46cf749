// A domain is not a URL.
use http_session::cookie_domain;

fn main() {
    let _cookie = cookie_domain!("https://example.com");
}
