// No field says which user is signed in.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(mut session: Session<Visit>) {
    session.sign_in(7);
}

fn main() {}
