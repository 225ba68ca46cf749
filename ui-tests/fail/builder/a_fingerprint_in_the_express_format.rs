// Node knows of no fingerprint: a stolen cookie would pass all the same.
use http_session::SessionConfig;

fn main() {
    let _builder = SessionConfig::express().fingerprint(|_| b"agent".to_vec());
}
