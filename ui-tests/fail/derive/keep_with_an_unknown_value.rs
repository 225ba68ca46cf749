// A field is kept at each change of identity, or only at a sign-in.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(keep = "login")]
    views: u64,
}

fn main() {}
