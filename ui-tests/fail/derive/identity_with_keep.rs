// The identity decides what is kept.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity, keep)]
    user: Option<u64>,
}

fn main() {}
