// A session's own cookie attributes are stored under this name.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(rename = "cookie")]
    consent: bool,
}

fn main() {}
