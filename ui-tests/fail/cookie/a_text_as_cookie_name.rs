// A name must be checked.
use http_session::Cookie;

fn main() {
    let _cookie = Cookie::host("sid");
}
