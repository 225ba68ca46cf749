// The prefix comes from the rules, or they would not hold.
use http_session::cookie_name;

fn main() {
    let _cookie = cookie_name!("__Host-sid");
}
