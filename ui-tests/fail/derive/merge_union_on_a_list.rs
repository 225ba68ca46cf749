// A list is not a set: it may contain an item twice.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(merge = "union")]
    tags: Vec<u8>,
}

fn main() {}
