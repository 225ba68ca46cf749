// A stored value needs a name to be found by.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(rename = "")]
    views: u64,
}

fn main() {}
