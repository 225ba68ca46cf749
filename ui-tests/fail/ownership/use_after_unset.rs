// `unset` consumes the session, like `req.session = null` in express.
use http_session::Session;

#[derive(Session)]
struct Visit {
    views: u64,
}

async fn leave(session: Session<Visit>) {
    session.unset();
    println!("{}", session.views);
}

fn main() {}
