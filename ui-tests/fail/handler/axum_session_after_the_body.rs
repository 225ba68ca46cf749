// An extractor that reads the body comes last.
use http_session::Session;

#[derive(Session)]
struct Visit {}

#[axum::debug_handler]
async fn hello(_: String, _: Session<Visit>) {}

fn main() {}
