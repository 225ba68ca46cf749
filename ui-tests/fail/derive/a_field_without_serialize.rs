// A field is written as JSON.
use http_session::Session;

#[derive(Default, PartialEq, serde::Deserialize)]
struct Item;

#[derive(Session)]
struct Visit {
    cart: Vec<u8>,
    item: Item,
}

fn main() {}
