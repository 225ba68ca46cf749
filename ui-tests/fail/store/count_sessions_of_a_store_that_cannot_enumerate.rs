// Not every store can list its sessions.
use http_session::store::EnumerateSessions;
use ui_tests::PlainStore;

fn count<S: EnumerateSessions>(store: &S) {
    drop(store.len());
}

fn main() {
    count(&PlainStore(()));
}
