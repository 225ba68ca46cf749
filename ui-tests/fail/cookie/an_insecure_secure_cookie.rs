// `__Secure-` means Secure: browsers drop the cookie.
use http_session::{Cookie, cookie_name};

fn main() {
    let _cookie = Cookie::secure(cookie_name!("sid")).insecure();
}
