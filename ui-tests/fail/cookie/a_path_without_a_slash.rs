// Browsers ignore such a path and use their default.
use http_session::cookie_path;

fn main() {
    let _cookie = cookie_path!("app");
}
