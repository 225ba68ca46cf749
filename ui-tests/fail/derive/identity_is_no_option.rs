// Nobody is signed in at first, and a number cannot say so.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: u64,
}

fn main() {}
