// Nobody is signed in by default.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity, default = Some(1))]
    user: Option<u64>,
}

fn main() {}
