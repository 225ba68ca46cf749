//! Cookies in headers that other layers may print.

use http::{Method, Request, Response, StatusCode};
use http_session::Session;
use tower::{Service as _, ServiceBuilder, ServiceExt as _};
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};

use super::{change, leaks, native};
use crate::support::{Answer, Browser, Events, Oops, Rig, Visit};

async fn work(request: Request<String>) -> Result<Response<String>, Oops> {
    change(&mut Session::<Visit>::extract(request.extensions()).await.unwrap());
    Ok(Response::new(String::new()))
}

/// A common tracing layer, which is set up to log all headers.
#[tokio::test]
async fn r26_a_trace_layer_that_logs_all_headers_logs_no_session_cookie() {
    let events = Events::capture();
    let mut leaks = leaks();
    let rig = native(true);
    let span = || DefaultMakeSpan::new().include_headers(true).level(tracing::Level::ERROR);
    let response = || DefaultOnResponse::new().include_headers(true).level(tracing::Level::ERROR);
    let mut service = ServiceBuilder::new()
        // Outside our layer, the request's cookie is not marked as sensitive yet.
        .layer(TraceLayer::new_for_http().on_response(response()))
        .layer(rig.sessions.layer())
        .layer(TraceLayer::new_for_http().make_span_with(span()).on_response(response()))
        .service_fn(work);
    let mut browser = Browser::default();
    for _ in 0..4 {
        let request = browser.request(Method::GET, "/");
        let answer = Answer::read(service.ready().await.unwrap().call(request).await.unwrap()).await;
        leaks.answer(&answer);
        browser.keep(&answer);
    }
    leaks.records(&rig).await;
    let lines = events.take();
    let shown = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
    assert!(shown("\"set-cookie\": Sensitive") >= 4 && shown("\"cookie\": Sensitive") >= 3, "{lines:#?}");
    leaks.output.push_str(&lines.join("\n"));
    leaks.output.push_str(&"-".repeat(5000));
    leaks.check();
}

async fn headers(request: Request<String>, _: Session<Visit>) -> Result<Response<String>, Oops> {
    Ok(Response::new(format!("{:?}", request.headers())))
}

#[tokio::test]
async fn r26_the_cookie_of_the_request_is_marked_sensitive() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let token = browser.cookie("__Host-sid").unwrap().to_owned();
    let two = || {
        let mut request = browser.request(Method::GET, "/");
        request.headers_mut().append("cookie", format!("__Host-sid={token}; b=1").parse().unwrap());
        request
    };
    let raw = async |request: Request<String>| format!("{:?}", request.headers());
    let layer = Answer::read(rig.raw(two(), raw).await.unwrap()).await;
    let service = rig.sessions.service(headers);
    let service = Answer::read(hyper::service::Service::call(&service, two()).await.unwrap()).await;
    for answer in [layer, service] {
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.text.contains("cookie") && !answer.text.contains(&token), "{}", answer.text);
    }
}
