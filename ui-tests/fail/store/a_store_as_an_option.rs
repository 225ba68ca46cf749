// A store that may be missing is none; `AnyStore` is for a choice at run time.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let store = Some(MemoryStore::new());
    let _sessions = SessionConfig::builder().secret(Secret::random()).store(store).build();
}
