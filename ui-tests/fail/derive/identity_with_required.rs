// If an identity does not decode, there is never a session.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity, required)]
    user: Option<u64>,
}

fn main() {}
