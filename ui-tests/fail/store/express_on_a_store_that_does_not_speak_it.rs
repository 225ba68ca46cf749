// Node could not read these records.
use http_session::{Secret, SessionConfig};
use ui_tests::PlainStore;

fn main() {
    let _sessions = SessionConfig::express().secret(Secret::random()).store(PlainStore(())).build();
}
