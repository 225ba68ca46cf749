// Of two sign-ins one must win.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity, merge = "reject")]
    user: Option<u64>,
}

fn main() {}
