// One letter is missing.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(mege = "add")]
    views: u64,
}

fn main() {}
