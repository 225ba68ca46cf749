// express takes a list. Here the first secret is `.secret(..)`, and each other one is `.previous_secret(..)`.
use http_session::{Secret, SessionConfig};

fn main() {
    let _builder = SessionConfig::builder().secret([Secret::random(), Secret::random()]);
}
