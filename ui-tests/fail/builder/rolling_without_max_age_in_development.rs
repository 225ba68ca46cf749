// The development preset has the same rule.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions = SessionConfig::development().secret(Secret::random()).rolling().store(MemoryStore::new()).build();
}
