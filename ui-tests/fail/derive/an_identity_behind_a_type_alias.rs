// A macro sees only the alias, not the `Option` behind it.
use http_session::Session;

type MaybeUser = Option<u64>;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: MaybeUser,
}

fn main() {}
