// A setter takes the builder and returns a new one, which this program ignores.
use http_session::{Secret, SessionConfig};

fn main() {
    let builder = SessionConfig::builder();
    builder.secret(Secret::random());
    let _sessions = builder.build();
}
