// Over http, this would be a `SameSite=None` cookie that is not `Secure`.
use http_session::{Cookie, cookie_name};

fn main() {
    let _cookie = Cookie::plain(cookie_name!("sid")).same_site_none().secure_auto();
}
