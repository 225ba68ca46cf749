// Browsers drop a `__Host-` cookie that has a path other than `/`.
use http_session::{Cookie, cookie_name, cookie_path};

fn main() {
    let _cookie = Cookie::host(cookie_name!("sid")).path(cookie_path!("/app"));
}
