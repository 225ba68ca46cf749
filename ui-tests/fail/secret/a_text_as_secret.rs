// express takes any text; a secret must be checked.
use http_session::SessionConfig;

fn main() {
    let _builder = SessionConfig::builder().secret("keyboard cat");
}
