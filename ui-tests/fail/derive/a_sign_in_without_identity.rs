// No field says which user is signed in.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

fn signs_in<T: http_session::HasIdentity>() {}
const _: fn() = signs_in::<Visit>;

fn main() {}
