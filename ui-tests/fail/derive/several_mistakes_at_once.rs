// Each mistake is reported once, and there are no other errors.
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
