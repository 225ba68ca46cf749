// The rule is "union".
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(merge = "unoin")]
    tags: std::collections::BTreeSet<u8>,
}

fn main() {}
