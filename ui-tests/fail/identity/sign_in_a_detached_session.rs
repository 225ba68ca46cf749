// A sign-in needs a response that carries the new cookie.
use http_session::{DetachedSession, Session};

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

fn later(mut session: DetachedSession<Visit>) {
    session.sign_in(7);
}

fn main() {}
