// The handlers inside may have sessions with an identity.
use http_session::{Secret, SessionConfig};
use ui_tests::PlainStore;

fn main() {
    let sessions = SessionConfig::builder().secret(Secret::random()).store(PlainStore(())).build();
    let _layer = sessions.layer();
}
