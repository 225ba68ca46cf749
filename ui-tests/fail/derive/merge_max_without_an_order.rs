// Without an order, neither value is the larger.
use http_session::Session;

#[derive(Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Colour;

#[derive(Session)]
struct Visit {
    #[session(merge = "max")]
    colour: Colour,
}

fn main() {}
