// A field is written and read as JSON, is compared, and has a default.
use http_session::Session;

struct Item;

#[derive(Session)]
struct Visit {
    cart: Vec<u8>,
    item: Item,
}

fn main() {}
