// A session is stored field by field, so nothing can be flattened.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(flatten)]
    views: u64,
}

fn main() {}
