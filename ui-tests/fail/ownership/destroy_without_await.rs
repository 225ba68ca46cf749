// Without `.await`, the program does not learn whether the session was destroyed.
#![deny(unused_must_use)]
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(session: Session<Visit>) {
    session.destroy();
}

fn main() {}
