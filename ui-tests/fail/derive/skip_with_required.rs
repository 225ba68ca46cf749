// A skipped field is never stored, but a required field always is.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(skip, required)]
    views: u64,
}

fn main() {}
