// A word that no attribute has.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(colour = "red")]
    views: u64,
}

fn main() {}
