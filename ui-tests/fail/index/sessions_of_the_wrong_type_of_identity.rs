// The identity of this session is a number.
use http_session::{MemoryStore, Secret, Session, SessionConfig};

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

fn main() {
    let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).indexed().build();
    let _ = sessions.sessions_of::<Visit>("ada");
}
