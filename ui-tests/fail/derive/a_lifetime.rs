// A session outlives the request that it could borrow from.
use http_session::Session;

#[derive(Session)]
struct Visit<'a> {
    name: &'a str,
}

fn main() {}
