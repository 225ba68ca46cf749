// A session outlives anything that it could borrow from.
use http_session::Session;

#[derive(Session)]
struct Visit {
    name: &'static str,
}

fn main() {}
