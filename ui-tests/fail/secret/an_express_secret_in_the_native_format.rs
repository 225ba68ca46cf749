// `Secret::express` accepts weak secrets, which must not sign native cookies.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let secret = Secret::express("keyboard cat").unwrap();
    let _sessions = SessionConfig::builder().secret(secret).store(MemoryStore::new()).build();
}
