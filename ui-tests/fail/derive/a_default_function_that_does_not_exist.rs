// The program has no function of this name.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(default = "initial_views")]
    views: u64,
}

fn main() {}
