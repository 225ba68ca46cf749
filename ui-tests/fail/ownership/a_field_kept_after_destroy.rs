// `destroy` consumes the session, so no reference to its fields may remain.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(session: Session<Visit>) {
    let views = &session.views;
    let _ = session.destroy().await;
    println!("{views}");
}

fn main() {}
