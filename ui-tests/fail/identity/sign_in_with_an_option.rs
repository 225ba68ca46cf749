// `sign_in` takes the type inside the `Option`. Instead of `None`, use `sign_out`.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

async fn leave(mut session: Session<Visit>) {
    session.sign_in(Some(7));
}

fn main() {}
