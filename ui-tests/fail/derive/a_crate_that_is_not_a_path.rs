// `crate` is the path of http-session.
use http_session::Session;

#[derive(Session)]
#[session(crate = "http session")]
struct Visit {
    views: u64,
}

fn main() {}
