// Without an index, some sessions of the user would not be found.
use http_session::{MemoryStore, Session, SessionConfig};

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

async fn leave(sessions: SessionConfig<MemoryStore>, mut session: Session<Visit>) {
    let _ = sessions.destroy_others(&mut session).await;
}

fn main() {}
