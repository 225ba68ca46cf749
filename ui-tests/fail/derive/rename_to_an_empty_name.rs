// A stored name cannot be empty.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(rename = "")]
    views: u64,
}

fn main() {}
