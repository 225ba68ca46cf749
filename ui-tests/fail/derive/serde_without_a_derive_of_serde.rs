// No derive of serde is there to read this attribute.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[serde(rename = "v")]
    views: u64,
}

fn main() {}
