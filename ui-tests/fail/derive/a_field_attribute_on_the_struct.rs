// `required` applies to one field.
use http_session::Session;

#[derive(Session)]
#[session(required)]
struct Visit {
    views: u64,
}

fn main() {}
