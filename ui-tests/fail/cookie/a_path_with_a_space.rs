// A space in a request is %20.
use http_session::cookie_path;

fn main() {
    let _cookie = cookie_path!("/my app");
}
