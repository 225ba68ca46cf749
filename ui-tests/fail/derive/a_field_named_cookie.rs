// A session's own cookie attributes are stored under that name.
use http_session::Session;

#[derive(Session)]
struct Visit {
    cookie: String,
}

fn main() {}
