// A field is read from JSON.
use http_session::Session;

#[derive(Default, PartialEq, serde::Serialize)]
struct Item;

#[derive(Session)]
struct Visit {
    cart: Vec<u8>,
    item: Item,
}

fn main() {}
