// Each item of the list is read from JSON.
use http_session::Session;

#[derive(PartialEq, serde::Serialize)]
struct Item;

#[derive(Session)]
struct Visit {
    cart: Vec<Item>,
}

fn main() {}
