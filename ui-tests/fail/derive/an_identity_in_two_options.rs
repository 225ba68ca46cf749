// `Some(None)` would be a user without an identity.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<Option<u64>>,
}

fn main() {}
