// It would be unclear which of the two names is used.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(rename = "a", rename = "b")]
    views: u64,
}

fn main() {}
