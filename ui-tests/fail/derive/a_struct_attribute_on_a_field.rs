// `rename_all` applies to all fields.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(rename_all = "camelCase")]
    views: u64,
}

fn main() {}
