// `save` borrows the session until its future has been awaited.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(mut session: Session<Visit>) {
    let saved = session.save();
    session.views += 1;
    let _ = saved.await;
}

fn main() {}
