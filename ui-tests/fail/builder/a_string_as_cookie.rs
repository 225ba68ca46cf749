// A cookie has attributes and rules, not only a name.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions = SessionConfig::builder().cookie("sid").secret(Secret::random()).store(MemoryStore::new()).build();
}
