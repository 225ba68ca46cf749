// The variable may be missing, so the `Result` must be handled, for example with `?`.
use http_session::{Secret, SessionConfig};

fn main() {
    let _builder = SessionConfig::builder().secret(Secret::from_env("SESSION_SECRET"));
}
