// Seconds or milliseconds? express says one, cookies say the other.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions = SessionConfig::builder().max_age(3600).secret(Secret::random()).store(MemoryStore::new()).build();
}
