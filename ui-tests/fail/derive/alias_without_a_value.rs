// `alias` does not say which name.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(alias)]
    views: u64,
}

fn main() {}
