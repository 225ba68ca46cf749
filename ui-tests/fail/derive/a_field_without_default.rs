// In a new session, this field would have no value.
use http_session::Session;

#[derive(PartialEq, serde::Serialize, serde::Deserialize)]
struct Item;

#[derive(Session)]
struct Visit {
    cart: Vec<u8>,
    item: Item,
}

fn main() {}
