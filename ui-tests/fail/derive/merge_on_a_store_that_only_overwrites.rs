// To merge, a store must see what it overwrites.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(merge = "add")]
    views: u64,
}

fn uses<S: http_session::store::SessionStore>() -> impl http_session::session::StorableIn<S> {
    Visit { views: 1 }
}

fn main() {}
