// The argument is `Session<Visit>`, not `Visit`.
use http_session::Session;

#[derive(Session)]
struct Visit {}

#[axum::debug_handler]
async fn hello(_: Visit) {}

fn main() {}
