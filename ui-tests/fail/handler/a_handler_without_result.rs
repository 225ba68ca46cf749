// A handler returns a `Result`, as hyper and tower require.
use http::{Request, Response};
use http_session::{Session, SessionConfig};

#[derive(Session)]
struct Visit {}

async fn hello(_: Request<()>, _: Session<Visit>) -> Response<()> {
    Response::new(())
}

fn configured(sessions: SessionConfig<http_session::MemoryStore>) {
    sessions.service(hello);
}
fn main() {}
