// A number has no unit: express counts in milliseconds, cookies in seconds.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions = SessionConfig::builder().max_age(3600).secret(Secret::random()).store(MemoryStore::new()).build();
}
