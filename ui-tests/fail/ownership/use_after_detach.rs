// `detach` consumes the session. Use the detached session instead.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(session: Session<Visit>) {
    let _detached = session.detach();
    println!("{}", session.views);
}

fn main() {}
