// At first nobody is signed in, and a number cannot express this.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: u64,
}

fn main() {}
