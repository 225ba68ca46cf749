// A field of the type of a parameter needs what every field needs.
use http_session::Session;

#[derive(PartialEq, serde::Deserialize)]
struct Item;

#[derive(Session)]
struct Visit<T> {
    item: Option<T>,
}

fn is_session<T: http_session::SessionData>() {}
const _: fn() = is_session::<Visit<Item>>;

fn main() {}
