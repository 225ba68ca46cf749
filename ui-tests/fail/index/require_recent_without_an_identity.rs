// Without an identity field, there is no sign-in that could be recent.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

fn pay(session: Session<Visit>) {
    let _ = session.require_recent(std::time::Duration::from_secs(300));
}

fn main() {}
