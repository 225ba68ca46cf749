// An identity that does not decode always means no session.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity, required)]
    user: Option<u64>,
}

fn main() {}
