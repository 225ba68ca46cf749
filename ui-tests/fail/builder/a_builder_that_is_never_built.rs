// A builder configures nothing until it is built.
#![deny(unused_must_use)]
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
}
