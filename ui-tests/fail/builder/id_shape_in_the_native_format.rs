// In the native format all ids have the same shape.
use http_session::{config::express::IdShape, MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions =
        SessionConfig::builder().id_shape(IdShape::Any).secret(Secret::random()).store(MemoryStore::new()).build();
}
