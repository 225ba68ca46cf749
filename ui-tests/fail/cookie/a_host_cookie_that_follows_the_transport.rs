// A `__Host-` cookie must be `Secure` on every response.
use http_session::{Cookie, cookie_name};

fn main() {
    let _cookie = Cookie::host(cookie_name!("sid")).secure_auto();
}
