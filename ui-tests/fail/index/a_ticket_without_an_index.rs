// Without an index, `destroy_all_of` could not void the ticket.
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
