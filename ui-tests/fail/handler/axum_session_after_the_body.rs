// In axum, an extractor that reads the body must be the last argument.
use http_session::Session;

#[derive(Session)]
struct Visit {}

#[axum::debug_handler]
async fn hello(_: String, _: Session<Visit>) {}

fn main() {}
