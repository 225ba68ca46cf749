// Each call takes the builder and gives another one back.
use http_session::{Secret, SessionConfig};

fn main() {
    let builder = SessionConfig::builder();
    builder.secret(Secret::random());
    let _sessions = builder.build();
}
