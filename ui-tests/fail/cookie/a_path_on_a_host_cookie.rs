// `__Host-` means `Path=/`: browsers drop the cookie.
use http_session::{Cookie, cookie_name, cookie_path};

fn main() {
    let _cookie = Cookie::host(cookie_name!("sid")).path(cookie_path!("/app"));
}
