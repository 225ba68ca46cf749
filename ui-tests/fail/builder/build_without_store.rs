// Without a store no session could be kept.
use http_session::{Secret, SessionConfig};

fn main() {
    let _sessions = SessionConfig::builder().secret(Secret::random()).build();
}
