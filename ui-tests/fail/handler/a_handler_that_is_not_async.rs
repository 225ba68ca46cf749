// A handler returns a future.
use http::{Request, Response};
use http_session::{Session, SessionConfig};

#[derive(Session)]
struct Visit {}

fn hello(_: Request<()>, _: Session<Visit>) -> Result<Response<()>, ()> {
    Ok(Response::new(()))
}

fn configured(sessions: SessionConfig<http_session::MemoryStore>) {
    sessions.service(hello);
}
fn main() {}
