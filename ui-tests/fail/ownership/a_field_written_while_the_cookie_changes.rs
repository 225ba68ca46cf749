// `cookie_mut` borrows the session, so no field can change until the cookie's handle is dropped.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(mut session: Session<Visit>) {
    let mut cookie = session.cookie_mut();
    session.views += 1;
    cookie.http_only = true;
}

fn main() {}
