// A space ends a cookie name.
use http_session::cookie_name;

fn main() {
    let _cookie = cookie_name!("s id");
}
