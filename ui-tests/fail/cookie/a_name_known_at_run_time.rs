// The compiler cannot check such a name. `CookieName::try_from` checks it at run time.
use http_session::cookie_name;

fn main() {
    let name = String::from("sid");
    println!("{name}");
    let _cookie = cookie_name!(name.as_str());
}
