// A handler returns a `Response`.
use http::Request;
use http_session::{Session, SessionConfig};

#[derive(Session)]
struct Visit {}

async fn hello(_: Request<()>, _: Session<Visit>) -> Result<String, ()> {
    Ok(String::new())
}

fn configured(sessions: SessionConfig<http_session::MemoryStore>) {
    sessions.service(hello);
}
fn main() {}
