// Unlike in express, a secret is checked before it is used.
use http_session::SessionConfig;

fn main() {
    let _builder = SessionConfig::builder().secret("keyboard cat");
}
