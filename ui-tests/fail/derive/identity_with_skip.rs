// An identity that is not stored signs nobody in.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity, skip)]
    user: Option<u64>,
}

fn main() {}
