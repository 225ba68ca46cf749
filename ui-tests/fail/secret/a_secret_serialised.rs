// A secret in a configuration dump is none any more.
use http_session::Secret;

#[derive(serde::Serialize)]
struct Settings {
    secret: Secret,
}

fn main() {}
