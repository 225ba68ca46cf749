// The second argument of a handler is a session.
use http::{Request, Response};
use http_session::SessionConfig;

async fn hello(_: Request<()>, _: String) -> Result<Response<()>, ()> {
    Ok(Response::new(()))
}

fn configured(sessions: SessionConfig<http_session::MemoryStore>) {
    sessions.service(hello);
}
fn main() {}
