// express takes an array; here the first is `.secret(..)` and the others are `.previous_secret(..)`.
use http_session::{Secret, SessionConfig};

fn main() {
    let _builder = SessionConfig::builder().secret([Secret::random(), Secret::random()]);
}
