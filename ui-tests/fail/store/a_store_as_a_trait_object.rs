// The trait has async methods: `AnyStore` is the boxed store.
use http_session::{MemoryStore, SessionStore};

fn main() {
    let _store: Box<dyn SessionStore> = Box::new(MemoryStore::new());
}
