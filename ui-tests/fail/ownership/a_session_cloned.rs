// Two copies of the values would undo each other's changes.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(session: Session<Visit>) {
    let _copy = session.clone();
}

fn main() {}
