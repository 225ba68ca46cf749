// A field is skipped or not.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(skip = "yes")]
    views: u64,
}

fn main() {}
