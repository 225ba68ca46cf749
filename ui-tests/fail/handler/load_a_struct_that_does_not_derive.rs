// `load` needs a struct that derives `Session`.
use http_session::{MemoryStore, SessionConfig, SessionId};

struct Visit {}

async fn sweep(sessions: SessionConfig<MemoryStore>, id: SessionId) {
    let _ = sessions.load::<Visit>(&id).await;
}

fn main() {}
