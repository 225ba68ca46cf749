// Over http the cookie would be `Partitioned` without Secure.
use http_session::{Cookie, cookie_name};

fn main() {
    let _cookie = Cookie::plain(cookie_name!("sid")).secure_auto().partitioned();
}
