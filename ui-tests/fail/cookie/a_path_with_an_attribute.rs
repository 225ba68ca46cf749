// A path must not smuggle an attribute in.
use http_session::cookie_path;

fn main() {
    let _cookie = cookie_path!("/app; Domain=example.com");
}
