// Fields are stored separately, so `flatten` is not possible.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(flatten)]
    views: u64,
}

fn main() {}
