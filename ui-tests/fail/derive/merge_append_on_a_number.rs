// Nothing can be appended to a number.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(merge = "append")]
    views: u64,
}

fn main() {}
