// A union does not know which of its fields is set.
use http_session::Session;

#[derive(Session)]
union Visit {
    views: u64,
}

fn main() {}
