// A session is a struct: an enum has no fields to store by name.
use http_session::Session;

#[derive(Session)]
enum Visit {
    New,
}

fn main() {}
