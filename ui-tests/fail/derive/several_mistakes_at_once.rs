// Each mistake is reported, and nothing else.
use http_session::Session;

#[derive(Session)]
struct Visit<'a> {
    #[session(identity, keep)]
    user: u64,
    #[session(mrege = "add", skip = true)]
    views: u64,
    cookie: &'a str,
}

fn uses<T: http_session::HasIdentity>() {}

fn main() {
    uses::<Visit>();
}
