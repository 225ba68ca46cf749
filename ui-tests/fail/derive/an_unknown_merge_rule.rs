// The rule is called "add".
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(merge = "sum")]
    views: u64,
}

fn main() {}
