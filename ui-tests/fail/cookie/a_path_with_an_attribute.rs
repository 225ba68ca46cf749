// A path must not add another attribute to the cookie.
use http_session::cookie_path;

fn main() {
    let _cookie = cookie_path!("/app; Domain=example.com");
}
