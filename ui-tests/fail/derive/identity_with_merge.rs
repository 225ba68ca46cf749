// If two requests sign in, one of them must win.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity, merge = "reject")]
    user: Option<u64>,
}

fn main() {}
