// Only a built configuration has layers.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    let _layer = builder.csrf_layer();
}
