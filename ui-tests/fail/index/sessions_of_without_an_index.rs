// Without an index, the sessions of a user cannot be found.
use http_session::{MemoryStore, Secret, Session, SessionConfig};

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

fn main() {
    let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    let _ = sessions.sessions_of::<Visit>(&42);
}
