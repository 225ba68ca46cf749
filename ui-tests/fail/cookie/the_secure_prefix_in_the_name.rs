// Browsers compare prefixes in any case.
use http_session::cookie_name;

fn main() {
    let _cookie = cookie_name!("__secure-sid");
}
