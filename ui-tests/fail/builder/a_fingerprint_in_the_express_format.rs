// express cookies have no fingerprint, so a stolen cookie would still be accepted.
use http_session::SessionConfig;

fn main() {
    let _builder = SessionConfig::express().fingerprint(|_| b"agent".to_vec());
}
