// The layer in a `ServiceBuilder` of tower and around routers of axum, and sessions as extractors.
#![deny(warnings)]

use std::convert::Infallible;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use http::{Request, Response};
use http_session::error::{CsrfRejection, SaveError, SessionRejection, StoreError};
use http_session::{Csrf, MemoryStore, Secret, Session, SessionConfig};
use tower::ServiceBuilder;

#[derive(Session)]
struct Visit {
    views: u64,
    #[session(identity)]
    user: Option<u64>,
}

#[derive(Session)]
struct Experiment {
    variant: Option<String>,
}

#[derive(Clone)]
struct App {
    sessions: SessionConfig<MemoryStore>,
}

#[axum::debug_handler]
async fn hello(mut session: Session<Visit>) -> String {
    session.views += 1;
    format!("{} views", session.views)
}

#[axum::debug_handler(state = App)]
async fn sign_in(State(app): State<App>, mut session: Session<Visit>, Path(user): Path<u64>, body: String) -> Redirect {
    drop((app.sessions, body));
    session.sign_in(user);
    Redirect::to("/")
}

#[axum::debug_handler]
async fn sign_out(session: Session<Visit>) -> Result<Redirect, StoreError> {
    session.destroy().await?;
    Ok(Redirect::to("/"))
}

#[axum::debug_handler]
async fn save(mut session: Session<Visit>) -> Result<(), SaveError> {
    session.views += 1;
    session.save().await
}

#[axum::debug_handler]
async fn can_do_without(session: Option<Session<Visit>>, experiment: Session<Experiment>) -> Result<String, SessionRejection> {
    Ok(session.map_or_else(String::new, |session| format!("{:?} {:?}", session.user, experiment.variant)))
}

#[axum::debug_handler]
async fn with_its_rejection(session: Result<Session<Visit>, SessionRejection>) -> String {
    session.map_or_else(|rejection| rejection.to_string(), |session| session.views.to_string())
}

#[axum::debug_handler]
async fn form(csrf: Csrf, session: Session<Visit>) -> impl IntoResponse {
    drop(session);
    csrf.hidden_input()
}

#[axum::debug_handler]
async fn posted(csrf: Csrf, body: String) -> Result<Redirect, CsrfRejection> {
    csrf.check(Some(&body))?;
    csrf.verify(body)?;
    Ok(Redirect::to("/"))
}

async fn plain(request: Request<String>) -> Result<Response<String>, Infallible> {
    let views = Session::<Visit>::extract(request.extensions()).await.map(|session| session.views);
    Ok(Response::new(format!("{views:?}")))
}

fn main() {
    let sessions = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new()).build();

    let nested = Router::new().route("/{user}", post(sign_in));
    let _app: Router = Router::new()
        .route("/", get(hello).put(save).delete(sign_out))
        .route("/perhaps", get(can_do_without).post(with_its_rejection))
        .route("/form", get(form).post(posted))
        .nest("/sign-in", nested)
        .route_layer(sessions.csrf_layer())
        .route_layer(sessions.layer())
        .layer(ServiceBuilder::new().layer(sessions.layer()))
        .with_state(App { sessions: sessions.clone() });

    let _service = ServiceBuilder::new().layer(sessions.layer()).layer(sessions.csrf_layer()).service_fn(plain);
    let _boxed = tower::util::BoxCloneSyncService::new(_service);
}
