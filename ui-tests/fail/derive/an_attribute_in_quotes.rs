// Attributes are written without quotes.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session("skip")]
    views: u64,
}

fn main() {}
