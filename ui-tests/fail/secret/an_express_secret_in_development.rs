// `Secret::express` takes a short one; what development forgives goes live one day.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let secret = Secret::express("keyboard cat").unwrap();
    let _sessions = SessionConfig::development().secret(secret).store(MemoryStore::new()).build();
}
