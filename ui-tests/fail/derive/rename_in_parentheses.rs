// The value of an attribute follows `=`.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(rename("view_count"))]
    views: u64,
}

fn main() {}
