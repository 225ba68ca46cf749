// The store is named by `.store(..)`, not by the type.
use http_session::{MemoryStore, SessionConfig};

fn main() {
    let _builder = SessionConfig::<MemoryStore>::builder();
}
