//! Many requests on several threads, through the whole layer.

use std::future::Future;
use std::sync::Arc;

use http::Response;
use http::header::{COOKIE, SET_COOKIE};
use http_session::{MemoryStore, Session, SessionConfig, SessionStore};
use tokio::task::{JoinSet, yield_now};
use tower::{Layer as _, Service, ServiceExt as _};

use crate::support::{Faulty, Oops, Request, secret, times};

/// How many requests add one each in CI; a tenth of this elsewhere. At most [`IN_FLIGHT`] run at once.
const ADDITIONS: u64 = 1_000_000;
const IN_FLIGHT: u64 = 64;

/// How many sessions are ended while other requests write to them, for each kind of store in CI.
const LOGOUTS: u64 = 100_000;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u32>,
    #[session(merge = "add")]
    hits: u64,
    theme: Option<u32>,
}

fn on_threads<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap().block_on(work)
}

fn request(path: &str, cookie: Option<&str>) -> Request {
    let mut request: Request = http::Request::builder().uri(path).body(String::new()).unwrap();
    if let Some(cookie) = cookie {
        request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
    }
    request
}

/// Returns the cookie of a response as a browser sends it back.
fn set_cookie<B>(response: &Response<B>) -> Option<String> {
    let line = response.headers().get(SET_COOKIE)?.to_str().unwrap();
    Some(line.split(';').next().unwrap().to_owned())
}

async fn handle(request: Request) -> Result<Response<String>, Oops> {
    let mut session = Session::<Visit>::extract(request.extensions()).await.unwrap();
    match request.uri().path() {
        "/begin" => session.sign_in(7),
        "/add" => {
            // Lets other requests load the same value before this one writes.
            yield_now().await;
            session.hits += 1;
        }
        "/write" => {
            yield_now().await;
            session.theme = Some(1);
            session.hits += 1;
        }
        "/save" => {
            session.hits += 1;
            let _ = session.save().await;
            session.theme = Some(2);
        }
        "/leave" => drop(session.sign_out().await.unwrap()),
        "/end" => drop(session.destroy().await.unwrap()),
        _ => return Ok(Response::new(format!("{:?} {}", session.user, session.hits))),
    }
    Ok(Response::default())
}

#[test]
fn r9_a_million_concurrent_requests_lose_no_count() {
    on_threads(async {
        let sessions = SessionConfig::builder().secret(secret()).store(MemoryStore::new()).build();
        let service = sessions.layer().layer(tower::service_fn(handle));
        let begun = service.clone().oneshot(request("/begin", None)).await.unwrap();
        let cookie: Arc<str> = set_cookie(&begun).unwrap().into();
        let mut tasks = JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let (mut service, cookie) = (service.clone(), Arc::clone(&cookie));
            tasks.spawn(async move {
                for _ in 0..times(ADDITIONS) / IN_FLIGHT {
                    let response = service.call(request("/add", Some(&cookie))).await.unwrap();
                    assert!(response.status().is_success());
                }
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
        let seen = service.oneshot(request("/", Some(&cookie))).await.unwrap();
        let seen = crate::support::Answer::read(seen).await.text;
        assert_eq!(seen, format!("Some(7) {}", times(ADDITIONS) / IN_FLIGHT * IN_FLIGHT));
    });
}

/// Ends sessions in one task while other tasks write to them.
fn log_out<S: SessionStore + Clone>(memory: &MemoryStore, store: S) {
    let sessions = SessionConfig::builder().secret(secret()).store(store).build();
    let service = sessions.layer().layer(tower::service_fn(handle));
    on_threads(async {
        let mut tasks = JoinSet::new();
        for lane in 0..4 {
            let (service, memory) = (service.clone(), memory.clone());
            tasks.spawn(async move {
                for round in 0..times(LOGOUTS) / 4 {
                    let begun = service.clone().oneshot(request("/begin", None)).await.unwrap();
                    let cookie = set_cookie(&begun).unwrap();
                    let visit = |path| tokio::spawn(service.clone().oneshot(request(path, Some(&cookie))));
                    let writers = [visit("/write"), visit("/save")];
                    let leaves = if (round + lane) % 2 == 0 { "/leave" } else { "/end" };
                    let left = visit(leaves).await.unwrap().unwrap();
                    assert!(left.status().is_success());
                    for writer in writers {
                        let written = writer.await.unwrap().unwrap();
                        assert!(set_cookie(&written).is_none(), "{leaves}");
                    }
                    let seen = service.clone().oneshot(request("/", Some(&cookie))).await.unwrap();
                    let seen = crate::support::Answer::read(seen).await.text;
                    assert_eq!(seen, "None 0", "{leaves}");
                    assert_not_resurrected(&memory, &cookie).await;
                }
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
    });
}

/// Checks that the old cookie finds no signed-in user and no data of the user.
async fn assert_not_resurrected(memory: &MemoryStore, cookie: &str) {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let token = URL_SAFE_NO_PAD.decode(cookie.split_once('=').unwrap().1).unwrap();
    let id = http_session::SessionId::try_from(URL_SAFE_NO_PAD.encode(&token[..16]).as_str()).unwrap();
    if let Some(record) = memory.load(&id).await.unwrap() {
        assert!(record.identity.is_none() && record.fields.is_empty());
    }
}

#[test]
fn r8_r11_no_slow_writer_undoes_a_sign_out_on_an_instant_store() {
    let memory = MemoryStore::new();
    log_out(&memory, memory.clone());
}

#[test]
fn r8_r11_no_slow_writer_undoes_a_sign_out_on_a_waiting_store() {
    let memory = MemoryStore::new();
    log_out(&memory, Faulty::new(memory.clone()));
}
