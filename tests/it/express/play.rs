//! Replays one recorded decision against the real middleware.

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::COOKIE;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_session::store::ExpressFormat;
use http_session::{
    MemoryStore, Secret, Session, SessionConfig, config::express::Resave, config::express::SaveUninitialized,
    config::express::Unset,
};
use serde::Deserialize;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use crate::support::{Answer, Recording};

/// One line of `tests/data/decision-matrix.jsonl`: a situation, and what the real express-session did in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decision {
    pub resave: bool,
    pub save_uninitialized: bool,
    pub rolling: bool,
    pub unset: UnsetOption,
    pub max_age: Option<u64>,
    pub touch_impl: bool,
    pub incoming: Incoming,
    pub handler: Kind,
    pub store: String,
    pub set_cookie: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnsetOption {
    Keep,
    Destroy,
}

/// The cookie that comes with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Incoming {
    None,
    Found,
    /// The signature is valid, but the session is not in the store.
    NotFound,
    /// The session is in the store, but the signature is invalid.
    BadSig,
}

/// What the handler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    None,
    Modify,
    ModifyRevert,
    CookieOnly,
    Touch,
    Save,
    ModifySave,
    ModifySaveModify,
    Reload,
    ModifyReload,
    ReloadSave,
    Destroy,
    #[serde(rename = "setnull")]
    SetNull,
    #[serde(rename = "del")]
    Delete,
    Regenerate,
    RegenerateModify,
    RegenerateModifySave,
    WriteThenModify,
    ModifyWrite,
}

/// The store calls in order, and the session cookie of the response, in the notation of the recording: `C` is the
/// client's id, `N1` and `N2` are generated ids, `+exp` is an expiry, and `-` is no cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub calls: Vec<String>,
    pub cookie: String,
}

impl Decision {
    /// Returns what express-session did.
    pub fn recorded(&self) -> Outcome {
        let calls = self.store.split(", ").filter(|call| !call.is_empty()).map(str::to_owned).collect();
        Outcome { calls, cookie: self.set_cookie.clone() }
    }

    pub fn has_stored_session(&self) -> bool {
        self.incoming == Incoming::Found
    }
}

/// How the handler is connected to the session configuration.
#[derive(Clone, Copy, Debug)]
pub enum Wiring {
    /// `sessions.service(handler)`: the session is an argument.
    Service,
    /// `sessions.layer()` and `Session::extract`.
    Layer,
}

#[derive(Session)]
pub struct Visit {
    pub n: u64,
}

type Answering = Result<Response<String>, Infallible>;
type Kept = Arc<Mutex<Option<Session<Visit>>>>;

/// Does with a handle what express's handler did with `req.session`.
async fn act(kind: Kind, mut session: Session<Visit>, kept: Kept) -> Answering {
    // As in express, every request has an id from the start.
    assert!(session.id().is_some());
    match kind {
        Kind::None => {}
        // A handler returns its response as a whole, so a change before the body is an ordinary change.
        Kind::Modify | Kind::ModifyWrite => session.n += 1,
        Kind::ModifyRevert => {
            session.n += 1;
            session.n -= 1;
        }
        Kind::CookieOnly => session.cookie_mut().max_age = Some(Duration::from_secs(5)),
        Kind::Touch => session.touch(),
        Kind::Save => session.save().await.unwrap(),
        Kind::ModifySave => {
            session.n += 1;
            session.save().await.unwrap();
        }
        Kind::ModifySaveModify => {
            session.n += 1;
            session.save().await.unwrap();
            session.n += 1;
        }
        // As in express, this fails for a session that is not stored.
        Kind::Reload => drop(session.reload().await),
        Kind::ModifyReload => {
            session.n += 1;
            drop(session.reload().await);
        }
        Kind::ReloadSave => {
            drop(session.reload().await);
            session.save().await.unwrap();
        }
        Kind::Destroy => drop(session.destroy().await.unwrap()),
        Kind::SetNull | Kind::Delete => session.unset(),
        Kind::Regenerate => session.regenerate(),
        Kind::RegenerateModify => {
            session.regenerate();
            session.n = 1;
        }
        Kind::RegenerateModifySave => {
            session.regenerate();
            session.n = 1;
            // Only the commit stores a regenerated session.
            assert!(session.save().await.is_err());
        }
        // The nearest equivalent is a handle that outlives the response.
        Kind::WriteThenModify => *kept.lock().unwrap() = Some(session),
    }
    Ok(Response::new(String::new()))
}

fn sessions<S: ExpressFormat>(decision: &Decision, store: S) -> SessionConfig<S> {
    let drawn = AtomicUsize::new(0);
    let mut builder = SessionConfig::express()
        .secret(Secret::express("keyboard cat").unwrap())
        .store(store)
        .resave(if decision.resave { Resave::Always } else { Resave::WhenModified })
        .save_uninitialized(if decision.save_uninitialized {
            SaveUninitialized::Always
        } else {
            SaveUninitialized::Never
        })
        .unset(match decision.unset {
            UnsetOption::Keep => Unset::Keep,
            UnsetOption::Destroy => Unset::Destroy,
        })
        .generate_id(move |_| format!("N{}", drawn.fetch_add(1, Ordering::Relaxed) + 1));
    if decision.rolling {
        builder = builder.rolling();
    }
    if let Some(max_age) = decision.max_age {
        builder = builder.max_age(Duration::from_millis(max_age));
    }
    builder.build()
}

/// Stores the session `C` with `n: 1` and returns its cookie.
async fn seed(decision: &Decision, memory: &MemoryStore) -> String {
    let mut builder = SessionConfig::express()
        .secret(Secret::express("keyboard cat").unwrap())
        .store(memory.clone())
        .generate_id(|_| "C".to_owned());
    if let Some(max_age) = decision.max_age {
        builder = builder.max_age(Duration::from_millis(max_age));
    }
    let service = builder.build().service(|_: Request<String>, mut session: Session<Visit>| async move {
        session.n = 1;
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let answer = ask(service, None).await;
    answer.set_cookies()[0].split(';').next().unwrap().to_owned()
}

async fn incoming(decision: &Decision, memory: &MemoryStore) -> Option<String> {
    match decision.incoming {
        Incoming::None => None,
        Incoming::Found => Some(seed(decision, memory).await),
        Incoming::NotFound => Some(seed(decision, &small()).await),
        Incoming::BadSig => {
            let cookie = seed(decision, memory).await;
            let (id, signature) = cookie.rsplit_once('.').unwrap();
            let first = if signature.starts_with('A') { "B" } else { "A" };
            Some(format!("{id}.{first}{}", &signature[1..]))
        }
    }
}

pub fn small() -> MemoryStore {
    MemoryStore::new().max_sessions(64)
}

async fn ask<S, R>(service: S, cookie: Option<&str>) -> Answer
where
    S: Service<Request<String>, Response = Response<R>, Error: Debug>,
    R: Body<Error: Debug>,
{
    let mut request = Request::builder().uri("/");
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, cookie);
    }
    Answer::read(service.oneshot(request.body(String::new()).unwrap()).await.unwrap()).await
}

/// Returns what this crate does in the decision's situation. `over` may wrap the memory store.
pub async fn play<S>(
    decision: &Decision,
    wiring: Wiring,
    is_instant: bool,
    over: impl FnOnce(MemoryStore) -> S,
) -> Outcome
where
    S: ExpressFormat + Clone,
{
    let memory = small();
    let cookie = incoming(decision, &memory).await;
    let store = Recording { can_touch: decision.touch_impl, is_instant, ..Recording::new(over(memory)) };
    let sessions = sessions(decision, store.clone());
    let kept = Kept::default();
    let (kind, keep) = (decision.handler, Arc::clone(&kept));
    let answer = match wiring {
        Wiring::Service => {
            let handler = move |_: Request<String>, session| act(kind, session, Arc::clone(&keep));
            ask(sessions.service(handler), cookie.as_deref()).await
        }
        Wiring::Layer => {
            let inner = service_fn(move |request: Request<String>| {
                let keep = Arc::clone(&keep);
                async move {
                    let session = Session::extract(request.extensions()).await.unwrap();
                    act(kind, session, keep).await
                }
            });
            ask(sessions.layer().layer(inner), cookie.as_deref()).await
        }
    };
    assert_eq!(answer.status, StatusCode::OK, "{decision:?}");
    if let Some(mut late) = kept.lock().unwrap().take() {
        late.n += 1;
    }
    let calls = store.take_calls().into_iter().map(|(name, id)| format!("{} {}", express_word(name), id.as_str()));
    Outcome { calls: calls.collect(), cookie: cookie_word(&answer) }
}

/// Translates a store call into express's words. Its stores have no insert: `set` creates and overwrites.
fn express_word(call: &'static str) -> &'static str {
    match call {
        "load" => "get",
        "insert" | "update" => "set",
        other => other,
    }
}

fn cookie_word(answer: &Answer) -> String {
    match answer.set_cookies().as_slice() {
        [] => "-".to_owned(),
        [line] => {
            let value = line.strip_prefix("connect.sid=s%3A").unwrap();
            let expiry = if line.contains("; Expires=") { "+exp" } else { "" };
            format!("{}{expiry}", value.split_once('.').unwrap().0)
        }
        lines => panic!("more than one session cookie: {lines:?}"),
    }
}
