// Serde's attributes do not reach a session, so a default here would be silently ignored.
use http_session::Session;
use serde::Serialize;

#[derive(Serialize, Session)]
#[serde(rename_all = "camelCase")]
struct Visit {
    page_views: u64,
}

fn main() {}
