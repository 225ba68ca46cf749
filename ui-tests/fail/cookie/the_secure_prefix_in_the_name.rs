// `Cookie::secure` adds this prefix. Browsers recognise it in lower case too.
use http_session::cookie_name;

fn main() {
    let _cookie = cookie_name!("__secure-sid");
}
