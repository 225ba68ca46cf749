// The name of a header is checked before it is used.
use http_session::SessionConfig;

fn main() {
    let _builder = SessionConfig::builder().csrf_header("x-xsrf-token");
}
