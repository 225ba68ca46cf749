// A list is no set: it may hold an item twice.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(merge = "union")]
    tags: Vec<u8>,
}

fn main() {}
