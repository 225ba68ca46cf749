// With two secrets it would be unclear which one signs.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions =
        SessionConfig::builder().secret(Secret::random()).secret(Secret::random()).store(MemoryStore::new()).build();
}
