// Two dots in a record name nothing.
use http_session::cookie_domain;

fn main() {
    let _cookie = cookie_domain!("example..com");
}
