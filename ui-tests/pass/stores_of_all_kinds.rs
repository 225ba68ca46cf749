// A store of the library, a shared store, a store that is chosen at run time, and a store of the user.
#![deny(warnings)]

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use http_session::store::{AnyStore, EnumerateSessions, ExpressFormat};
use http_session::{MemoryStore, Secret, Session, SessionConfig, SessionStore};
use ui_tests::PlainStore;

#[derive(Session)]
struct Plain {
    views: u64,
}

#[derive(Session)]
struct WithIdentity {
    #[session(identity)]
    user: Option<u64>,
    #[session(merge = "append")]
    cart: Vec<String>,
}

async fn plain(_: Request<()>, session: Session<Plain>) -> Result<Response<u64>, Infallible> {
    Ok(Response::new(session.views))
}

async fn with_identity(_: Request<()>, session: Session<WithIdentity>) -> Result<Response<usize>, Infallible> {
    Ok(Response::new(session.cart.len() + usize::from(session.user.is_some())))
}

fn native<S: SessionStore>(store: S) -> SessionConfig<S> {
    SessionConfig::builder().secret(Secret::random()).store(store).build()
}

fn express<S: ExpressFormat>(store: S) -> SessionConfig<S> {
    SessionConfig::express().secret(Secret::express("keyboard cat").unwrap()).store(store).build()
}

fn serves<S: SessionStore>(sessions: &SessionConfig<S>) {
    let _ = sessions.service(with_identity);
    let _ = sessions.service(plain);
}

async fn count<S: EnumerateSessions>(sessions: SessionConfig<S>) -> usize {
    sessions.store().len().await.unwrap_or_default()
}

fn main() {
    let memory = Arc::new(MemoryStore::new());
    serves(&native(Arc::clone(&memory)));
    serves(&native(Arc::new(Arc::clone(&memory))));
    serves(&express(Arc::clone(&memory)));
    serves(&express(MemoryStore::new().max_sessions(10)));
    drop(count(native(memory)));

    let chosen = if std::env::args().count() > 1 {
        AnyStore::new(MemoryStore::new())
    } else {
        AnyStore::new(Arc::new(MemoryStore::new()))
    };
    serves(&native(chosen));

    // A store without capabilities takes every session.
    serves(&native(PlainStore(())));
    serves(&native(Arc::new(PlainStore(7))));
}
