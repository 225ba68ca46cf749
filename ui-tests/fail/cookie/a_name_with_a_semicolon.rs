// A semicolon would begin an attribute.
use http_session::cookie_name;

fn main() {
    let _cookie = cookie_name!("sid;Path");
}
