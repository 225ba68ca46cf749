// The name of a cookie must be ASCII.
use http_session::cookie_name;

fn main() {
    let _cookie = cookie_name!("séance");
}
