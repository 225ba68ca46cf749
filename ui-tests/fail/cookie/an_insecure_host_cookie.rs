// `__Host-` means Secure: browsers drop the cookie.
use http_session::{Cookie, cookie_name};

fn main() {
    let _cookie = Cookie::host(cookie_name!("sid")).insecure();
}
