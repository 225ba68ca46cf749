// A cookie without expiry has nothing that could roll.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).rolling().build();
}
