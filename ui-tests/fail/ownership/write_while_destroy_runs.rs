// `destroy` consumes the session when it is called, not when its future is awaited.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(mut session: Session<Visit>) {
    let destroyed = session.destroy();
    session.views += 1;
    let _ = destroyed.await;
}

fn main() {}
