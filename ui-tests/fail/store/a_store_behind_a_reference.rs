// A configuration owns its store: share it as an `Arc`.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let store = MemoryStore::new();
    let _sessions = SessionConfig::builder().secret(Secret::random()).store(&store).build();
}
