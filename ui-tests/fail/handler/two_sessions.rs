// A handler takes one session. `Session::of` opens another view of it.
use http::{Request, Response};
use http_session::{Session, SessionConfig};

#[derive(Session)]
struct Visit {}

async fn hello(_: Request<()>, _: Session<Visit>, _: Session<Visit>) -> Result<Response<()>, ()> {
    Ok(Response::new(()))
}

fn configured(sessions: SessionConfig<http_session::MemoryStore>) {
    sessions.service(hello);
}
fn main() {}
