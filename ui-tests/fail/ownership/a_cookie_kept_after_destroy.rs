// The cookie of a destroyed session cannot change.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(mut session: Session<Visit>) {
    let mut cookie = session.cookie_mut();
    let _ = session.destroy().await;
    cookie.http_only = true;
}

fn main() {}
