// `Cookie::host` adds this prefix. In the name, its rules would not be checked.
use http_session::cookie_name;

fn main() {
    let _cookie = cookie_name!("__Host-sid");
}
