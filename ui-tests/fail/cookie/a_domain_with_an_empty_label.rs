// There must be a label between two dots.
use http_session::cookie_domain;

fn main() {
    let _cookie = cookie_domain!("example..com");
}
