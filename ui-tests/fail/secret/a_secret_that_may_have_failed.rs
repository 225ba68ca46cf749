// The variable may be missing: `?` says what then.
use http_session::{Secret, SessionConfig};

fn main() {
    let _builder = SessionConfig::builder().secret(Secret::from_env("SESSION_SECRET"));
}
