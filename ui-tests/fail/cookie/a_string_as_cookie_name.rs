// A name is checked before it is used: `cookie_name!` or `CookieName::try_from`.
use http_session::Cookie;

fn main() {
    let _cookie = Cookie::host("sid");
}
