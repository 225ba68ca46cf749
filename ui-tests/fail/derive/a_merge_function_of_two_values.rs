// A merge function has three parameters: `base`, `theirs` and `ours`.
use http_session::Session;

fn join(theirs: u64, ours: u64) -> u64 {
    theirs + ours
}

#[derive(Session)]
struct Visit {
    #[session(merge = "join")]
    views: u64,
}

fn main() {}
