// A configuration owns its store. To share a store, use an `Arc`.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let store = MemoryStore::new();
    let _sessions = SessionConfig::builder().secret(Secret::random()).store(&store).build();
}
