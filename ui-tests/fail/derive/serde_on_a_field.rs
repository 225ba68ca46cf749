// Serde's attributes do not reach a session, so a rename here would be silently ignored.
use http_session::Session;
use serde::Serialize;

#[derive(Serialize, Session)]
struct Visit {
    #[serde(rename = "v")]
    views: u64,
}

fn main() {}
