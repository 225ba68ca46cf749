// A skipped field is never stored, a required one always.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(skip, required)]
    views: u64,
}

fn main() {}
