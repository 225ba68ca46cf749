// A stored name is a string in quotes.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(rename = view_count)]
    views: u64,
}

fn main() {}
