// An alias is another name.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(alias = "views")]
    views: u64,
}

fn main() {}
