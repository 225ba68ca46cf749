// In the native format the library generates the ids.
use http_session::{MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions = SessionConfig::builder()
        .generate_id(|_| String::from("1"))
        .secret(Secret::random())
        .store(MemoryStore::new())
        .build();
}
