// The library must know the fields of the struct.
use http::{Request, Response};
use http_session::{Session, SessionConfig};

struct Visit {}

async fn hello(_: Request<()>, _: Session<Visit>) -> Result<Response<()>, ()> {
    Ok(Response::new(()))
}

fn configured(sessions: SessionConfig<http_session::MemoryStore>) {
    sessions.service(hello);
}
fn main() {}
