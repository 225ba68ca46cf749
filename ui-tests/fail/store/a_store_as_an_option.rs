// A configuration always has a store. To choose a store at run time, use `AnyStore`.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let store = Some(MemoryStore::new());
    let _sessions = SessionConfig::builder().secret(Secret::random()).store(store).build();
}
