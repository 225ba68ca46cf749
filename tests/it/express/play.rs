//! Plays one recorded record against the real middleware.

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

/// One line of `tests/data/decision-matrix.jsonl`: a situation, and what the real express-session did.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
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
    /// Signed well, and not in the store.
    NotFound,
    /// In the store, and signed badly.
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

/// The store calls in order, and the session cookie of the response, in the words of the recording: `C` is the client's id,
/// `N1` and `N2` are generated ones, `+exp` stands for an expiry, `-` for no cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub calls: Vec<String>,
    pub cookie: String,
}

impl Record {
    /// What express-session did.
    pub fn recorded(&self) -> Outcome {
        let calls = self.store.split(", ").filter(|call| !call.is_empty()).map(str::to_owned).collect();
        Outcome { calls, cookie: self.set_cookie.clone() }
    }

    pub fn has_stored_session(&self) -> bool {
        self.incoming == Incoming::Found
    }
}

/// How the handler gets its session.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    /// As an argument.
    Service,
    /// From the request's extensions, below a layer.
    Layer,
}

#[derive(Session)]
pub struct Visit {
    pub n: u64,
}

type Answering = Result<Response<String>, Infallible>;
type Kept = Arc<Mutex<Option<Session<Visit>>>>;

/// The handle's methods in the place of express's.
async fn act(kind: Kind, mut session: Session<Visit>, kept: Kept) -> Answering {
    // In express every request has an id from its beginning.
    assert!(session.id().is_some());
    match kind {
        Kind::None => {}
        // A returned response cannot be written in parts: to modify before its body is to modify.
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
        // On a session that is not stored it fails, as in express.
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
            // The commit stores it; a regenerated session cannot be saved before.
            assert!(session.save().await.is_err());
        }
        // As near as one can come to it: the handle outlives the response.
        Kind::WriteThenModify => *kept.lock().unwrap() = Some(session),
    }
    Ok(Response::new(String::new()))
}

fn sessions<S: ExpressFormat>(record: &Record, store: S) -> SessionConfig<S> {
    let drawn = AtomicUsize::new(0);
    let mut builder = SessionConfig::express()
        .secret(Secret::express("keyboard cat").unwrap())
        .store(store)
        .resave(if record.resave { Resave::Always } else { Resave::WhenModified })
        .save_uninitialized(if record.save_uninitialized {
            SaveUninitialized::Always
        } else {
            SaveUninitialized::Never
        })
        .unset(match record.unset {
            UnsetOption::Keep => Unset::Keep,
            UnsetOption::Destroy => Unset::Destroy,
        })
        .generate_id(move |_| format!("N{}", drawn.fetch_add(1, Ordering::Relaxed) + 1));
    if record.rolling {
        builder = builder.rolling();
    }
    if let Some(max_age) = record.max_age {
        builder = builder.max_age(Duration::from_millis(max_age));
    }
    builder.build()
}

/// Stores the session `C` with `n: 1` and returns its cookie.
async fn seed(record: &Record, memory: &MemoryStore) -> String {
    let mut builder = SessionConfig::express()
        .secret(Secret::express("keyboard cat").unwrap())
        .store(memory.clone())
        .generate_id(|_| "C".to_owned());
    if let Some(max_age) = record.max_age {
        builder = builder.max_age(Duration::from_millis(max_age));
    }
    let service = builder.build().service(|_: Request<String>, mut session: Session<Visit>| async move {
        session.n = 1;
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let answer = ask(service, None).await;
    answer.set_cookies()[0].split(';').next().unwrap().to_owned()
}

async fn incoming(record: &Record, memory: &MemoryStore) -> Option<String> {
    match record.incoming {
        Incoming::None => None,
        Incoming::Found => Some(seed(record, memory).await),
        Incoming::NotFound => Some(seed(record, &small()).await),
        Incoming::BadSig => {
            let cookie = seed(record, memory).await;
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

/// What this crate does in the record's situation. `over` puts something between the recording and the memory.
pub async fn play<S>(record: &Record, entry: Entry, is_instant: bool, over: impl FnOnce(MemoryStore) -> S) -> Outcome
where
    S: ExpressFormat + Clone,
{
    let memory = small();
    let cookie = incoming(record, &memory).await;
    let store = Recording { can_touch: record.touch_impl, is_instant, ..Recording::new(over(memory)) };
    let sessions = sessions(record, store.clone());
    let kept = Kept::default();
    let (kind, keep) = (record.handler, Arc::clone(&kept));
    let answer = match entry {
        Entry::Service => {
            let handler = move |_: Request<String>, session| act(kind, session, Arc::clone(&keep));
            ask(sessions.service(handler), cookie.as_deref()).await
        }
        Entry::Layer => {
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
    assert_eq!(answer.status, StatusCode::OK, "{record:?}");
    if let Some(mut late) = kept.lock().unwrap().take() {
        late.n += 1;
    }
    let calls = store.take_calls().into_iter().map(|(name, id)| format!("{} {}", express_word(name), id.as_str()));
    Outcome { calls: calls.collect(), cookie: cookie_word(&answer) }
}

/// Express's stores have no insert: `set` creates and overwrites.
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
