// An attribute takes its value after `=`.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(rename("view_count"))]
    views: u64,
}

fn main() {}
