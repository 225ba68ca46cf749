// Nobody can trust a cookie that nothing signs.
use http_session::{MemoryStore, SessionConfig};

fn main() {
    let _sessions = SessionConfig::builder().store(MemoryStore::new()).build();
}
