// Browsers disagree about cookies without a name.
use http_session::cookie_name;

fn main() {
    let _cookie = cookie_name!("");
}
