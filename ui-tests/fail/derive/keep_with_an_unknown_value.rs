// A field is kept always, or at sign-in.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(keep = "login")]
    views: u64,
}

fn main() {}
