// The first argument of a handler is the request.
use http::Response;
use http_session::{Session, SessionConfig};

#[derive(Session)]
struct Visit {}

async fn hello(_: Session<Visit>) -> Result<Response<()>, ()> {
    Ok(Response::new(()))
}

fn configured(sessions: SessionConfig<http_session::MemoryStore>) {
    sessions.service(hello);
}
fn main() {}
