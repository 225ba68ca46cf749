// A builder does nothing until `build` is called.
#![deny(unused_must_use)]
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
}
