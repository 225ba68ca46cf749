// Of two values without an order none is the larger.
use http_session::Session;

#[derive(Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Colour;

#[derive(Session)]
struct Visit {
    #[session(merge = "max")]
    colour: Colour,
}

fn main() {}
