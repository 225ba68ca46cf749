// A ticket that nothing voids would promise too much.
use http_session::{MemoryStore, Session, SessionConfig};

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

async fn log_in(sessions: SessionConfig<MemoryStore>, mut session: Session<Visit>) {
    session.sign_in_with(sessions.ticket(42).await.unwrap());
}

fn main() {}
