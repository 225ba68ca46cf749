// This store cannot find the sessions of a user.
use http_session::{Secret, SessionConfig};
use ui_tests::PlainStore;

fn main() {
    let builder = SessionConfig::builder().secret(Secret::random());
    let _ = builder.store(PlainStore(())).indexed().build();
}
