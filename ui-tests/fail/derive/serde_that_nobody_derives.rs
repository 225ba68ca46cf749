// No derive here knows `serde`, and the field would keep its name.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[serde(rename = "v")]
    views: u64,
}

fn main() {}
