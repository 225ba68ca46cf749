// `rename` does not say which name.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(rename)]
    views: u64,
}

fn main() {}
