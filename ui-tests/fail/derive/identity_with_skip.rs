// If the identity is not stored, nobody stays signed in.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity, skip)]
    user: Option<u64>,
}

fn main() {}
