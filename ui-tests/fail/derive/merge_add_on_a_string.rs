// Strings cannot be added up.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(merge = "add")]
    name: String,
}

fn main() {}
