// Browsers drop a `Partitioned` cookie that is not `Secure`, whatever the order of the calls.
use http_session::{Cookie, cookie_name};

fn main() {
    let _cookie = Cookie::plain(cookie_name!("sid")).insecure().partitioned();
}
