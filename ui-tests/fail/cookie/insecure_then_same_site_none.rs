// `SameSite=None` without Secure is dropped by browsers, whatever was called first.
use http_session::{Cookie, cookie_name};

fn main() {
    let _cookie = Cookie::plain(cookie_name!("sid")).insecure().same_site_none();
}
