// Two views of one session, and each method that a handler can call.
#![deny(warnings)]

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use http_session::error::{SaveError, SessionRejection, StoreError};
use http_session::{DetachedSession, HasIdentity, MemoryStore, Secret, Session, SessionConfig, SessionData, SessionId, SignedOut};

#[derive(Session)]
struct Visit {
    views: u64,
    notice: Option<String>,
    #[session(identity)]
    user: Option<u64>,
}

#[derive(Session)]
struct Csrf {
    csrf_token: Option<String>,
}

async fn two_views<B>(request: Request<B>, mut visit: Session<Visit>) -> Result<Response<String>, SessionRejection> {
    let mut csrf = Session::<Csrf>::extract(request.extensions()).await?;
    visit.views += 1;
    csrf.csrf_token.get_or_insert_with(String::new).push('x');
    Ok(Response::new(visit.notice.take().unwrap_or_default()))
}

async fn everything(mut session: Session<Visit>) -> Result<Option<DetachedSession<Visit>>, SaveError> {
    let _: Option<SessionId> = session.id();
    let _: (bool, Option<Duration>, Option<Duration>) = (session.is_new(), session.expires_in(), session.last_access());
    session.rotate();
    session.regenerate();
    session.discard();
    session.touch();
    session.passive();
    session.cookie_mut().max_age = Some(Duration::from_secs(3600));
    let _ = session.cookie().max_age;
    session.sign_in(7);
    session.user = Some(8);
    let _ = session.sign_out().await;
    session.save().await?;
    let views = session.take(|visit| std::mem::take(&mut visit.views)).await?;
    session.reload().await?;
    session.views = views;
    Ok(session.detach())
}

async fn leave(session: Session<Visit>) -> Result<SignedOut, StoreError> {
    session.destroy().await
}

async fn later(mut session: DetachedSession<Visit>) -> Result<(), SaveError> {
    session.views += 1;
    session.save().await
}

async fn forget<T: SessionData>(session: Session<T>) {
    session.unset();
}

async fn guard<T: HasIdentity<Identity = u64>>(mut session: Session<T>) {
    session.sign_in(7);
    let _ = session.sign_out().await;
}

async fn background(sessions: SessionConfig<MemoryStore>, id: SessionId) -> Result<(), StoreError> {
    if let Some(session) = sessions.load::<Visit>(&id).await? {
        let _ = later(session).await;
    }
    sessions.destroy(&id).await
}

async fn by_reference(session: &mut Session<Visit>) -> u64 {
    session.views += 1;
    session.views
}

async fn handler(_: Request<()>, mut session: Session<Visit>) -> Result<Response<u64>, Infallible> {
    let views = by_reference(&mut session).await;
    tokio_like(guard(session));
    Ok(Response::new(views))
}

fn tokio_like<F: Future + Send + 'static>(future: F) {
    drop(future);
}

fn main() {
    let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();
    let _ = sessions.service(two_views::<String>);
    let _ = sessions.service(handler);
    let _ = (everything, leave, later, forget::<Csrf>, background);
}
