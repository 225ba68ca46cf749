// A store that is chosen at run time must have all capabilities.
use http_session::store::AnyStore;
use ui_tests::PlainStore;

fn main() {
    let _store = AnyStore::new(PlainStore(()));
}
