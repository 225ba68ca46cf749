// `cookie_mut` borrows the session, so it cannot outlive the handle.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

fn leave(mut session: Session<Visit>) -> http_session::CookieMut<'static> {
    session.cookie_mut()
}

fn main() {}
