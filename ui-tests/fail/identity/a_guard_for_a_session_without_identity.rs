// A function that signs users in needs a session with an identity field.
use http_session::{HasIdentity, Session};

#[derive(Session)]
struct Visit {}

async fn guard<T: HasIdentity<Identity = u64>>(mut session: Session<T>) {
    let _ = session.sign_out().await;
}

fn leave(session: Session<Visit>) {
    drop(guard(session));
}
fn main() {}
