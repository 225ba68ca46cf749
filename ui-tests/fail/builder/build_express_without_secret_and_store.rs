// The express format needs both too.
use http_session::SessionConfig;

fn main() {
    let _sessions = SessionConfig::express().rolling().build();
}
