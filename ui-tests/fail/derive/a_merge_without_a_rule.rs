// `merge` does not say how to merge.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(merge)]
    views: u64,
}

fn main() {}
