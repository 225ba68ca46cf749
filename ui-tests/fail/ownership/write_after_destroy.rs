// `destroy` consumes the session, so there is nothing to write to.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(mut session: Session<Visit>) {
    let _ = session.destroy().await;
    session.views += 1;
}

fn main() {}
