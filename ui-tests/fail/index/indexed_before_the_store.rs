// The index belongs to the store, so `.store(..)` comes first.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _ = SessionConfig::builder().secret(Secret::random()).indexed().store(MemoryStore::new()).build();
}
