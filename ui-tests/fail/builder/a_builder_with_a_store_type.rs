// The store is set with `.store(..)`, not as a type argument.
use http_session::{MemoryStore, SessionConfig};

fn main() {
    let _builder = SessionConfig::<MemoryStore>::builder();
}
