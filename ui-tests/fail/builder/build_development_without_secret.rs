// Development needs a secret as well: `Secret::random()` is one.
use http_session::{MemoryStore, SessionConfig};

fn main() {
    let _sessions = SessionConfig::development().store(MemoryStore::new()).build();
}
