// A skipped field is not stored, so it always starts with its default.
use http_session::Session;

struct Item;

#[derive(Session)]
struct Visit {
    #[session(skip)]
    item: Item,
}

fn main() {}
