// `Partitioned` without Secure is dropped by browsers.
use http_session::{Cookie, cookie_name};

fn main() {
    let _cookie = Cookie::plain(cookie_name!("sid")).partitioned().insecure();
}
