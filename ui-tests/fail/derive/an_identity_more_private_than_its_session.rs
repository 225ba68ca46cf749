// Code that can name the session can sign in, so it must be able to name the identity too.
use http_session::Session;

#[derive(PartialEq, serde::Serialize, serde::Deserialize)]
struct UserId(u64);

#[derive(Session)]
pub struct Visit {
    #[session(identity)]
    user: Option<UserId>,
}

fn main() {}
