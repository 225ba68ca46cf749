// Node knows of no scope: two applications would share their cookies all the same.
use http_session::SessionConfig;

fn main() {
    let _builder = SessionConfig::express().scope("admin");
}
