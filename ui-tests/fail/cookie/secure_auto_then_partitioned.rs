// Over http, this would be a `Partitioned` cookie that is not `Secure`.
use http_session::{Cookie, cookie_name};

fn main() {
    let _cookie = Cookie::plain(cookie_name!("sid")).secure_auto().partitioned();
}
