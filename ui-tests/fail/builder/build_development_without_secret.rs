// The development preset needs a secret too, such as `Secret::random()`.
use http_session::{MemoryStore, SessionConfig};

fn main() {
    let _sessions = SessionConfig::development().store(MemoryStore::new()).build();
}
