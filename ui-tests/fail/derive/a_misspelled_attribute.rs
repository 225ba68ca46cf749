// The attribute is `merge`.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(mege = "add")]
    views: u64,
}

fn main() {}
