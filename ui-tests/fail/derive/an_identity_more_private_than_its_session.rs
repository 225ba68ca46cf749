// Whoever sees the session can sign in to it, and so sees the identity.
use http_session::Session;

#[derive(PartialEq, serde::Serialize, serde::Deserialize)]
struct UserId(u64);

#[derive(Session)]
pub struct Visit {
    #[session(identity)]
    user: Option<UserId>,
}

fn main() {}
