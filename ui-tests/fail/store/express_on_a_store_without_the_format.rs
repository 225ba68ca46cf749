// Node could not read the records of this store.
use http_session::{Secret, SessionConfig};
use ui_tests::PlainStore;

fn main() {
    let _sessions = SessionConfig::express().secret(Secret::random()).store(PlainStore(())).build();
}
