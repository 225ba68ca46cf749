//! The peers, doing the same work as their documentation shows it.

use std::hint::black_box;

use http::Request;
use tower::{Layer as _, service_fn};
use tower_sessions::cookie::Key;
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer};

use crate::{Body, Call, Case, Program, Visit, answer, call, cookie_of};

const KEY: &str = "visit";

/// tower-sessions: the session is a map of JSON values, ours is one of them.
pub(crate) fn tower_sessions(case: Case) -> Program {
    let expiry = Expiry::OnInactivity(tower_sessions::cookie::time::Duration::hours(1));
    let layer = SessionManagerLayer::new(MemoryStore::default()).with_expiry(expiry).with_signed(Key::generate());
    let make = |case| -> Call {
        match case {
            Case::Untouched => call(layer.layer(service_fn(|request: Request<Body>| async {
                drop(request);
                Ok(answer())
            }))),
            _ => call(layer.layer(service_fn(move |request: Request<Body>| async move {
                let session = request.extensions().get::<Session>().expect("there is a session").clone();
                drop(request);
                work(case, &session).await.expect("the store answers");
                Ok(answer())
            }))),
        }
    };
    let mut program = Program::new(make(Case::Create));
    let request = program.request();
    program.cookie = Some(cookie_of(&program.answer(request)).expect("the session has a cookie"));
    program.call = make(case);
    program
}

async fn work(case: Case, session: &Session) -> Result<(), tower_sessions::session::Error> {
    match case {
        Case::Untouched => Ok(()),
        Case::Read | Case::Forged => {
            black_box(session.get::<Visit>(KEY).await?);
            Ok(())
        }
        Case::Modify | Case::Rolling => {
            let mut visit: Visit = session.get(KEY).await?.unwrap_or_default();
            visit.views += 1;
            session.insert(KEY, visit).await
        }
        Case::SignIn => {
            let mut visit: Visit = session.get(KEY).await?.unwrap_or_default();
            visit.user = Some(visit.user.unwrap_or_default() + 1);
            session.cycle_id().await?;
            session.insert(KEY, visit).await
        }
        Case::Create => session.insert(KEY, Visit::example()).await,
    }
}
