// `sign_out` borrows the session until its future has been awaited.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

async fn leave(mut session: Session<Visit>) {
    let signed_out = session.sign_out();
    println!("{:?}", session.user);
    let _ = signed_out.await;
}
fn main() {}
