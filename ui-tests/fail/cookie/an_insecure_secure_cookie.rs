// Browsers drop a `__Secure-` cookie that is not `Secure`.
use http_session::{Cookie, cookie_name};

fn main() {
    let _cookie = Cookie::secure(cookie_name!("sid")).insecure();
}
