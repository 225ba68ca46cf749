// Sessions in the express format have no verifier that could be renewed.
use http_session::SessionConfig;

fn main() {
    let _builder = SessionConfig::express().renew_after(std::time::Duration::from_secs(3600));
}
