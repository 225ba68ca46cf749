// A previous secret only verifies cookies, so nothing would sign new cookies.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions = SessionConfig::builder().previous_secret(Secret::random()).store(MemoryStore::new()).build();
}
