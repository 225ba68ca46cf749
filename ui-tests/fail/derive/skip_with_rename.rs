// A skipped field has no stored name.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(skip, rename = "v")]
    views: u64,
}

fn main() {}
