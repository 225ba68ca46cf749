// A weak secret that verifies is as bad as one that signs.
use http_session::{Secret, SessionConfig};

fn main() {
    let old = Secret::express("keyboard cat").unwrap();
    let _builder = SessionConfig::builder().secret(Secret::random()).previous_secret(old);
}
