// The identity is stored as JSON.
use http_session::Session;

#[derive(PartialEq, serde::Deserialize)]
struct UserId(u64);

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<UserId>,
}

fn main() {}
