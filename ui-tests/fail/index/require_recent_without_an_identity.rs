// Nobody signs in to such a session.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

fn pay(session: Session<Visit>) {
    let _ = session.require_recent(std::time::Duration::from_secs(300));
}

fn main() {}
