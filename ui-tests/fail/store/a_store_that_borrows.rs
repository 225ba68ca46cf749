// The configuration may outlive any local variable, so its store must not borrow.
use http_session::{Secret, SessionConfig};
use ui_tests::PlainStore;

fn main() {
    let connection = String::new();
    let _sessions = SessionConfig::builder().secret(Secret::random()).store(PlainStore(&connection)).build();
}
