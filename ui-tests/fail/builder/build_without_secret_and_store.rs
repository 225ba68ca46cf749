// Both are missing, and there is an error for each.
use http_session::SessionConfig;

fn main() {
    let _sessions = SessionConfig::builder().build();
}
