// Whether a field changed is decided by `==`.
use http_session::Session;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Item;

#[derive(Session)]
struct Visit {
    cart: Vec<u8>,
    item: Item,
}

fn main() {}
