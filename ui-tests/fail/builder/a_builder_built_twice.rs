// `build` consumes the builder. Clone the configuration instead.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
    let _first = builder.build();
    let _second = builder.build();
}
