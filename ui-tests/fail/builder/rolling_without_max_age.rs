// A cookie without an expiry has nothing to renew on each response.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).rolling().build();
}
