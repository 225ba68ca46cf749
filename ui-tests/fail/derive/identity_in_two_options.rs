// `Some(None)` would be somebody.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<Option<u64>>,
}

fn main() {}
