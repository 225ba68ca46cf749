// The field is an `Option`, so the value is `Some(7)`.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

async fn leave(mut session: Session<Visit>) {
    session.user = 7;
}

fn main() {}
