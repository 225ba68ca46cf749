// `skip` has no value.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(skip = "yes")]
    views: u64,
}

fn main() {}
