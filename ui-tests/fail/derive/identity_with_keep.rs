// The identity decides whether other fields are kept.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity, keep)]
    user: Option<u64>,
}

fn main() {}
