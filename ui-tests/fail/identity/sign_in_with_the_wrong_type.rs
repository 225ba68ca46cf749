// `sign_in` takes the type inside the `Option` of the identity field.
use http_session::Session;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

async fn leave(mut session: Session<Visit>) {
    session.sign_in("alice");
}

fn main() {}
