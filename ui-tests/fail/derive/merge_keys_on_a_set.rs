// A set has no keys with values.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(merge = "keys")]
    tags: std::collections::BTreeSet<u8>,
}

fn main() {}
