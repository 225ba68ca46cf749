// A field stays in the session. `.take()` and `std::mem::take` leave a default behind.
use http_session::Session;

#[derive(Session)]
struct Visit {
    notice: String,
}

async fn leave(session: Session<Visit>) {
    let _notice: String = session.notice;
}

fn main() {}
