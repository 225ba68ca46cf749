// Serde's attributes have no effect on a session, so this `rename` would silently do nothing.
use http_session::Session;
use serde::Serialize;

#[derive(Serialize, Session)]
struct Visit {
    #[serde(rename = "v")]
    views: u64,
}

fn main() {}
