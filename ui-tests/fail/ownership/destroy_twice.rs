// `destroy` consumes the session.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(session: Session<Visit>) {
    let _ = session.destroy().await;
    let _ = session.destroy().await;
}

fn main() {}
