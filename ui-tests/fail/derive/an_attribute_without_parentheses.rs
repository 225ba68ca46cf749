// The attributes of a session are written in parentheses.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session = "skip"]
    views: u64,
}

fn main() {}
