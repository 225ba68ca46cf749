// Both are missing, and both are named at once.
use http_session::SessionConfig;

fn main() {
    let _sessions = SessionConfig::builder().build();
}
