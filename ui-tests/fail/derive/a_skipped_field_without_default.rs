// A skipped field gets its value from somewhere.
use http_session::Session;

struct Item;

#[derive(Session)]
struct Visit {
    #[session(skip)]
    item: Item,
}

fn main() {}
