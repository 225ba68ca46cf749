// express cookies have no scope, so two applications would still accept each other's cookies.
use http_session::SessionConfig;

fn main() {
    let _builder = SessionConfig::express().scope("admin");
}
