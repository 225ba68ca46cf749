// `SameSite=None` without Secure is dropped by browsers.
use http_session::{Cookie, cookie_name};

fn main() {
    let _cookie = Cookie::plain(cookie_name!("sid")).same_site_none().insecure();
}
