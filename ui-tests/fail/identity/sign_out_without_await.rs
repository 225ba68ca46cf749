// Without `.await`, the program does not learn whether the sign-out worked.
#![deny(unused_must_use)]
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

async fn leave(mut session: Session<Visit>) {
    session.sign_out();
}

fn main() {}
