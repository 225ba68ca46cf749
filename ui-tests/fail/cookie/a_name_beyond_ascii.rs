// A cookie name is ASCII.
use http_session::cookie_name;

fn main() {
    let _cookie = cookie_name!("séance");
}
