// Only sessions are handed over.
use http::{Request, Response};
use http_session::SessionConfig;

async fn hello(_: Request<()>, _: String) -> Result<Response<()>, ()> {
    Ok(Response::new(()))
}

fn configured(sessions: SessionConfig<http_session::MemoryStore>) {
    sessions.service(hello);
}
fn main() {}
