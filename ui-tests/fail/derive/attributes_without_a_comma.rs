// Attributes are separated by commas.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(keep required)]
    views: u64,
}

fn main() {}
