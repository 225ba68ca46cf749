// A builder is not a configuration yet.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    let _layer = builder.csrf_layer();
}
