// A handler that also runs without a session takes `Option<Session<T>>`.
use http::{Request, Response};
use http_session::{Session, SessionConfig};

#[derive(Session)]
struct Visit {}

async fn hello(_: Request<()>, _: Result<Session<Visit>, ()>) -> Result<Response<()>, ()> {
    Ok(Response::new(()))
}

fn configured(sessions: SessionConfig<http_session::MemoryStore>) {
    sessions.service(hello);
}
fn main() {}
