// A field is compared with `==` to see whether it changed.
use http_session::Session;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Item;

#[derive(Session)]
struct Visit {
    cart: Vec<u8>,
    item: Item,
}

fn main() {}
