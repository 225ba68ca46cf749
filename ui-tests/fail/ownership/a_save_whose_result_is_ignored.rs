// The program must notice a save that failed.
#![deny(unused_must_use)]
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(mut session: Session<Visit>) {
    session.save().await;
}

fn main() {}
