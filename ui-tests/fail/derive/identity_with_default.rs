// At first nobody is signed in.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity, default = Some(1))]
    user: Option<u64>,
}

fn main() {}
