// An id of the native format has one shape.
use http_session::{config::express::IdShape, MemoryStore, Secret, SessionConfig};

fn main() {
    let _sessions =
        SessionConfig::builder().id_shape(IdShape::Any).secret(Secret::random()).store(MemoryStore::new()).build();
}
