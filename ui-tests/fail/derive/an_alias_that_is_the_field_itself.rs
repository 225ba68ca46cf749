// An alias is a different name from the field's own.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(alias = "views")]
    views: u64,
}

fn main() {}
