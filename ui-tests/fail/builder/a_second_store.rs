// All sessions of a configuration are in one store.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions =
        SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).store(MemoryStore::new()).build();
}
