// There is no attribute `colour`.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(colour = "red")]
    views: u64,
}

fn main() {}
