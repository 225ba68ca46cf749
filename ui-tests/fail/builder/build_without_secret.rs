// Without a secret no cookie could be signed.
use http_session::{MemoryStore, SessionConfig};

fn main() {
    let _sessions = SessionConfig::builder().store(MemoryStore::new()).build();
}
