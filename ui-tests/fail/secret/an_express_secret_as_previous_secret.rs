// A weak secret that only verifies is as dangerous as a weak secret that signs.
use http_session::{Secret, SessionConfig};

fn main() {
    let old = Secret::express("keyboard cat").unwrap();
    let _builder = SessionConfig::builder().secret(Secret::random()).previous_secret(old);
}
