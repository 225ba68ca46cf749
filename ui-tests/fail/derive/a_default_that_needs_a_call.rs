// A default without quotes is a value, but this is a function.
use http_session::Session;

fn ten() -> u64 {
    10
}

#[derive(Session)]
struct Visit {
    #[session(default = ten)]
    views: u64,
}

fn main() {}
