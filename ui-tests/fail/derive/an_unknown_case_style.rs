// `Camel` is not one of serde's eight styles.
use http_session::Session;

#[derive(Session)]
#[session(rename_all = "Camel")]
struct Visit {
    views: u64,
}

fn main() {}
