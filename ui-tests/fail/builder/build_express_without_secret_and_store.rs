// The express preset needs a secret and a store too.
use http_session::SessionConfig;

fn main() {
    let _sessions = SessionConfig::express().rolling().build();
}
