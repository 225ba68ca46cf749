// A header's name must be checked.
use http_session::SessionConfig;

fn main() {
    let _builder = SessionConfig::builder().csrf_header("x-xsrf-token");
}
