//! This library.

use std::convert::Infallible;
use std::future::poll_fn;
use std::hint::black_box;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use http_session::error::StoreError;
use http_session::record::{Epoch, Lifetime, Patch, Record};
use http_session::store::{Destroyed, Inserted, Touched, Updated};
use http_session::{MemoryStore, Secret, Session, SessionConfig, SessionId, SessionStore};
use tower::{Layer as _, service_fn};

use crate::{Body, Call, Case, Program, Visit, answer, call, cookie_of};

pub(crate) fn memory() -> MemoryStore {
    MemoryStore::new()
}

pub(crate) fn waiting() -> Waiting {
    Waiting(MemoryStore::new())
}

/// `sessions.service(handler)`.
pub(crate) fn service<S: SessionStore>(case: Case, store: S) -> Program {
    program(case, store, |case, sessions| {
        call(sessions.service(move |request: Request<Body>, mut session: Session<Visit>| async move {
            drop(request);
            work(case, &mut session);
            Ok::<_, Infallible>(answer())
        }))
    })
}

/// `sessions.layer()`.
pub(crate) fn layer<S: SessionStore>(case: Case, store: S) -> Program {
    program(case, store, |case, sessions| match case {
        Case::Untouched => call(sessions.layer().layer(service_fn(|request: Request<Body>| async {
            drop(request);
            Ok(answer())
        }))),
        _ => call(sessions.layer().layer(service_fn(move |request: Request<Body>| async move {
            let mut session = Session::extract(request.extensions()).await.expect("there is a session");
            drop(request);
            work(case, &mut session);
            Ok(answer())
        }))),
    })
}

/// A program whose browser has a session already: stored, signed in, confirmed and touched.
fn program<S: SessionStore>(case: Case, store: S, make: impl Fn(Case, &SessionConfig<S>) -> Call) -> Program {
    let builder = SessionConfig::builder().secret(Secret::random()).store(store);
    let sessions = match case {
        Case::Rolling => builder.max_age(Duration::from_secs(3600)).rolling().build(),
        _ => builder.build(),
    };
    let mut program = Program::new(make(Case::Create, &sessions));
    program.cookie = first_cookie(&mut program);
    program.call = make(Case::SignIn, &sessions);
    program.cookie = first_cookie(&mut program);
    program.call = make(Case::Read, &sessions);
    program.run();
    program.call = make(case, &sessions);
    program
}

fn first_cookie(program: &mut Program) -> Option<http::HeaderValue> {
    let request = program.request();
    let response: Response<()> = program.answer(request);
    Some(cookie_of(&response).expect("the session has a cookie"))
}

fn work(case: Case, session: &mut Session<Visit>) {
    match case {
        Case::Untouched => {}
        Case::Read | Case::Forged => _ = black_box(&**session),
        Case::Modify | Case::Rolling => session.views += 1,
        Case::SignIn => session.sign_in(session.user.unwrap_or_default() + 1),
        Case::Create => **session = Visit { user: None, ..Visit::example() },
    }
}

/// The memory store behind a wait, as if it were far away.
#[derive(Clone, Debug)]
pub(crate) struct Waiting(MemoryStore);

async fn wait() {
    let mut has_waited = false;
    poll_fn(|_| match std::mem::replace(&mut has_waited, true) {
        false => Poll::Pending,
        true => Poll::Ready(()),
    })
    .await;
}

impl SessionStore for Waiting {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        wait().await;
        self.0.load(id).await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        wait().await;
        self.0.insert(id, record, lifetime).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        wait().await;
        self.0.update(id, patch, lifetime).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        wait().await;
        self.0.touch(id, epoch, lifetime).await
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        wait().await;
        self.0.destroy(id, epoch).await
    }
}
