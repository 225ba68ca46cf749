// `destroy` consumes the session, so there is nothing to read.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(session: Session<Visit>) {
    let _ = session.destroy().await;
    println!("{}", session.views);
}

fn main() {}
