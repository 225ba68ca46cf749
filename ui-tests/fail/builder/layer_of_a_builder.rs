// Only a built configuration has layers and services.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _layer = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).layer();
}
