// An `Arc` has the capabilities of its store, and no others.
use std::sync::Arc;

use http_session::{Secret, SessionConfig};
use ui_tests::PlainStore;

fn main() {
    let _sessions = SessionConfig::express().secret(Secret::random()).store(Arc::new(PlainStore(()))).build();
}
