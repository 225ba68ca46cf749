// The identity has no stored name.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity, rename = "account")]
    user: Option<u64>,
}

fn main() {}
