// Sessions must be kept somewhere.
use http_session::{Secret, SessionConfig};

fn main() {
    let _sessions = SessionConfig::builder().secret(Secret::random()).build();
}
