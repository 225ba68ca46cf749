// The trait has async methods, so it has no trait objects. Use `AnyStore` instead.
use http_session::{MemoryStore, SessionStore};

fn main() {
    let _store: Box<dyn SessionStore> = Box::new(MemoryStore::new());
}
