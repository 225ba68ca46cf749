// The axum extractor needs a struct that derives `Session`.
use http_session::Session;

struct Visit {}

#[axum::debug_handler]
async fn hello(_: Session<Visit>) {}

fn main() {}
