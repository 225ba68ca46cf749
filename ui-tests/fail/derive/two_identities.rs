// A record has one identity.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
    #[session(identity)]
    admin: Option<u64>,
}

fn main() {}
