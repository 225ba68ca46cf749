// A change needs a `&mut` reference.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(session: &Session<Visit>) {
    session.views += 1;
}

fn main() {}
