// Without quotes, `add` would be the path of a function.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(merge = add)]
    views: u64,
}

fn main() {}
