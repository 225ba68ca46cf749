// A field whose type is a parameter needs the same traits as any other field.
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
