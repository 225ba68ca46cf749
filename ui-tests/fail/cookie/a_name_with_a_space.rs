// A cookie's name must not contain a space.
use http_session::cookie_name;

fn main() {
    let _cookie = cookie_name!("s id");
}
