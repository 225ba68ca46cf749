// The module does not exist.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(with = "seconds")]
    views: u64,
}

fn main() {}
