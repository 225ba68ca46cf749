// The format decides which secrets are accepted, not the lifetime.
use std::time::Duration;

use http_session::{Secret, SessionConfig};

fn main() {
    let secret = Secret::express("keyboard cat").unwrap();
    let _builder = SessionConfig::builder().max_age(Duration::from_secs(3600)).secret(secret);
}
