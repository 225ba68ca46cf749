//! R24: protection against requests from the pages of other sites (CSRF).

mod layer;
mod table;
mod tokens;

use http::{Method, Response, StatusCode};
use http_session::SessionStore;
use http_session::error::CsrfRejection;
use http_session::{Csrf, Session, SessionConfig};
use tower::{Layer as _, ServiceExt as _};

use crate::support::{Answer, Browser, Oops, Rig, Visit, secret};

/// An express configuration on a rig's store.
fn express(rig: &Rig) -> Rig {
    let builder = SessionConfig::express().secret(secret()).store(rig.store.clone()).clock(rig.clock.clone());
    Rig { sessions: builder.build(), ..rig.clone() }
}

/// Returns a token for the browser's session, and does not change its cookies.
async fn token(rig: &Rig, browser: &Browser) -> String {
    let answer = rig.ask(browser, async |s: Session<Visit>| s.csrf().token().unwrap().to_string()).await;
    rig.store.take_calls();
    answer.text
}

/// Whether a token is valid for a request of this browser.
async fn fits(rig: &Rig, browser: &Browser, token: &str) -> bool {
    let token = token.to_owned();
    let verify = async move |s: Session<Visit>| match s.csrf().verify(&token) {
        Ok(()) => StatusCode::OK,
        Err(rejection) => rejection.status(),
    };
    let status = rig.ask(browser, verify).await.status;
    rig.store.take_calls();
    assert!(matches!(status, StatusCode::OK | StatusCode::FORBIDDEN), "{status}");
    status == StatusCode::OK
}

/// Sends a request with these headers through both layers to a handler that answers `done`.
async fn send<S: SessionStore>(
    sessions: &SessionConfig<S>,
    browser: &Browser,
    method: Method,
    headers: &[(&'static str, &str)],
) -> Answer {
    let mut request = browser.request(method, "/");
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    guarded(sessions, request).await
}

async fn guarded<S: SessionStore>(sessions: &SessionConfig<S>, request: crate::support::Request) -> Answer {
    let done = tower::service_fn(async |_: crate::support::Request| Ok::<_, Oops>(Response::new("done".to_owned())));
    let service = sessions.layer().layer(sessions.csrf_layer().layer(done));
    Answer::read(service.oneshot(request).await.unwrap()).await
}

fn passed(answer: &Answer) -> bool {
    match (answer.status, answer.text.as_str()) {
        (StatusCode::OK, "done") => true,
        (StatusCode::FORBIDDEN, text) => {
            assert!(text.contains("reload it and try again"), "{text}");
            assert!(answer.set_cookies().is_empty());
            false
        }
        other => panic!("{other:?}"),
    }
}

/// Checks a request with [`Csrf::check`] in a handler, without the layer.
async fn checked(rig: &Rig, request: crate::support::Request, form_token: Option<String>) -> Result<(), CsrfRejection> {
    let (outcome, told) = std::sync::mpsc::channel();
    let work = move |request: crate::support::Request| {
        let (outcome, form_token) = (outcome.clone(), form_token.clone());
        async move {
            let csrf = Csrf::extract(request.extensions()).await.unwrap();
            outcome.send(csrf.check(form_token.as_deref())).unwrap();
        }
    };
    rig.raw(request, work).await.unwrap();
    told.recv().unwrap()
}
