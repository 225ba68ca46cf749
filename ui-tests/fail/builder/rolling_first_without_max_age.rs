// The mistake is found whatever the order of the calls.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions = SessionConfig::builder().rolling().store(MemoryStore::new()).secret(Secret::random()).build();
}
