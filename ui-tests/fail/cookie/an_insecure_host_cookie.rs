// Browsers drop a `__Host-` cookie that is not `Secure`.
use http_session::{Cookie, cookie_name};

fn main() {
    let _cookie = Cookie::host(cookie_name!("sid")).insecure();
}
