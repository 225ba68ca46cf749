// express-session allows `sameSite: "none"` without `secure`, but browsers drop this cookie.
use http_session::{Cookie, SessionConfig, cookie_name};

fn main() {
    let _cookie =
        SessionConfig::express().cookie(Cookie::plain(cookie_name!("sid")).insecure().partitioned().same_site_none());
}
