// A field is part of the session: `.take()` or `std::mem::take` leaves its default.
use http_session::Session;

#[derive(Session)]
struct Visit {
    notice: String,
}

async fn leave(session: Session<Visit>) {
    let _notice: String = session.notice;
}

fn main() {}
