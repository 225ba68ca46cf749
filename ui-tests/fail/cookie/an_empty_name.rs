// Browsers treat a cookie without a name in ways of their own.
use http_session::cookie_name;

fn main() {
    let _cookie = cookie_name!("");
}
