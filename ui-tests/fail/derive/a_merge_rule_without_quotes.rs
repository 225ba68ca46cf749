// Without quotes it would be a function.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(merge = add)]
    views: u64,
}

fn main() {}
