// Two names for one field: which?
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(rename = "a", rename = "b")]
    views: u64,
}

fn main() {}
