// Serde's attributes have no effect on a session, so this `rename_all` would silently do nothing.
use http_session::Session;
use serde::Serialize;

#[derive(Serialize, Session)]
#[serde(rename_all = "camelCase")]
struct Visit {
    page_views: u64,
}

fn main() {}
