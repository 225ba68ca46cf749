// In a request, a space in a path is `%20`.
use http_session::cookie_path;

fn main() {
    let _cookie = cookie_path!("/my app");
}
