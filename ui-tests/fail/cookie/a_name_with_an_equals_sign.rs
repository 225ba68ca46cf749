// What follows `=` would be the value.
use http_session::cookie_name;

fn main() {
    let _cookie = cookie_name!("sid=1");
}
