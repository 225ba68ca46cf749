// A string after `default` is the path of a function, as in serde.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(default = "good morning")]
    greeting: String,
}

fn main() {}
