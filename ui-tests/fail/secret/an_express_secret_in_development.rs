// `Secret::express` accepts weak secrets. Development refuses them too, since its code goes to production.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let secret = Secret::express("keyboard cat").unwrap();
    let _sessions = SessionConfig::development().secret(secret).store(MemoryStore::new()).build();
}
