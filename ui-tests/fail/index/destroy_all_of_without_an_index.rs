// Without an index, some sessions of the user would not be found.
use http_session::{MemoryStore, Secret, Session, SessionConfig};

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

fn main() {
    let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    let _ = sessions.destroy_all_of::<Visit>(&42);
}
