// A handle lives only as long as its request.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(session: Session<Visit>) {
    let handle: &'static Session<Visit> = &session;
    drop(handle);
}

fn main() {}
