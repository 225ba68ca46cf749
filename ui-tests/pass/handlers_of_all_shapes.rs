// The handlers that `service` accepts: functions, closures, and methods with state, with any body.
#![deny(warnings)]

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_session::{MemoryStore, Secret, Session, SessionConfig, SessionData};

#[derive(Session)]
struct Visit {
    #[session(merge = "add")]
    views: u64,
    #[session(identity)]
    user: Option<u64>,
}

async fn function(_: Request<String>, mut session: Session<Visit>) -> Result<Response<String>, Infallible> {
    session.views += 1;
    Ok(Response::new(format!("{} views", session.views)))
}

async fn can_do_without(_: Request<()>, session: Option<Session<Visit>>) -> Result<Response<()>, Infallible> {
    let status = if session.is_some() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = Response::new(());
    *response.status_mut() = status;
    Ok(response)
}

async fn of_any_body<B>(request: Request<B>, session: Session<Visit>) -> Result<Response<B>, std::io::Error> {
    drop(session);
    Ok(Response::new(request.into_body()))
}

async fn of_any_session<B, T: SessionData>(_: Request<B>, session: Session<T>) -> Result<Response<()>, Infallible> {
    drop(session);
    Ok(Response::new(()))
}

fn without_async(_: Request<()>, session: Session<Visit>) -> Ready<Result<Response<u64>, Infallible>> {
    ready(Ok(Response::new(session.views)))
}

type Boxed = Pin<Box<dyn Future<Output = Result<Response<()>, Infallible>> + Send>>;

fn boxed(_: Request<()>, _: Session<Visit>) -> Boxed {
    Box::pin(async { Ok(Response::new(())) })
}

struct App {
    greeting: String,
}

impl App {
    async fn hello(self: Arc<Self>, _: Request<()>, session: Session<Visit>) -> Result<Response<String>, Infallible> {
        Ok(Response::new(format!("{} {:?}", self.greeting, session.user)))
    }
}

fn is_hyper_service<B, S: hyper::service::Service<Request<B>> + Clone>(_: &S) {}
fn is_tower_service<B, S: tower::Service<Request<B>> + Clone>(_: &S) {}

fn main() {
    let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();

    is_hyper_service::<String, _>(&sessions.service(function));
    is_tower_service::<String, _>(&sessions.service(function));
    is_hyper_service::<(), _>(&sessions.service(can_do_without));
    is_hyper_service::<Vec<u8>, _>(&sessions.service(of_any_body::<Vec<u8>>));
    is_hyper_service::<hyper::body::Incoming, _>(&sessions.service(of_any_session::<hyper::body::Incoming, Visit>));
    is_hyper_service::<(), _>(&sessions.service(without_async));
    is_hyper_service::<(), _>(&sessions.service(boxed));

    let app = Arc::new(App { greeting: String::from("hello") });
    let method = sessions.service(move |request, session| Arc::clone(&app).hello(request, session));
    is_hyper_service::<(), _>(&method);

    let closure = sessions.service(|_: Request<()>, mut session: Session<Visit>| async move {
        session.sign_in(7);
        Ok::<_, Infallible>(Response::new(()))
    });
    is_tower_service::<(), _>(&closure);

    let async_closure = sessions.service(async |_: Request<()>, session: Option<Session<Visit>>| {
        drop(session);
        Ok::<_, Infallible>(Response::new(()))
    });
    is_hyper_service::<(), _>(&async_closure);
}
