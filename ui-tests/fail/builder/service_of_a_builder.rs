// Only a finished configuration makes services.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _layer = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).layer();
}
