// The program has no module of this name.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(with = "seconds")]
    views: u64,
}

fn main() {}
