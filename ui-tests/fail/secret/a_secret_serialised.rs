// A secret must not be written to a dump of the configuration.
use http_session::Secret;

#[derive(serde::Serialize)]
struct Settings {
    secret: Secret,
}

fn main() {}
