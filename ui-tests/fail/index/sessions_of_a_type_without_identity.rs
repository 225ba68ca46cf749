// Without an identity field, a session belongs to no user.
use http_session::{MemoryStore, Secret, Session, SessionConfig};

#[derive(Session)]
struct Visit {
    views: u64,
}

fn main() {
    let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).indexed().build();
    let _ = sessions.sessions_of::<Visit>(&42);
}
