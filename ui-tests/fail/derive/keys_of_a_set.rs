// A set has no values to its keys.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(merge = "keys")]
    tags: std::collections::BTreeSet<u8>,
}

fn main() {}
