//! The smallest scenario that causes each event.

use http::{HeaderName, Response, StatusCode};
use http_session::error::StoreErrorKind;
use http_session::{Cookie, MemoryStore, Session, SessionConfig, cookie_name};
use tokio::runtime::Runtime;

use crate::support::{Browser, Call, Fault, Request, Revoking, Rig, Swapping, Visit, minutes, poll_once};
use crate::support::{secret, through};

pub type Scenario = fn(&Runtime);

macro_rules! scenarios {
    ($($name:literal => $work:expr,)* ; $($other:literal => $function:expr,)*) => {
        &[$(($name, |runtime| runtime.block_on($work)),)* $(($other, $function),)*]
    };
}

pub const SCENARIOS: &[(&str, Scenario)] = scenarios! {
    "session.loaded" => changed(|_| ()),
    "session.missing" => async {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        rig.clock.advance(minutes(25 * 60));
        rig.ask(&browser, read).await;
    },
    "session.superseded" => async {
        let rig = Rig::new();
        let old = rig.signed_in("ada").await;
        rig.ask(&old, async |mut s: Session<Visit>| s.rotate()).await;
        rig.ask(&old, read).await;
    },
    "session.verifier.outdated" => renewed(2),
    "session.tossed" => async {
        let rig = Rig::new();
        let cookies = [rig.signed_in("ada").await.cookie_header("/").unwrap(), rig.signed_in("eve").await.cookie_header("/").unwrap()];
        let mut request = Browser::default().request(http::Method::GET, "/");
        request.headers_mut().insert("cookie", cookies.join("; ").parse().unwrap());
        rig.send(request, read).await.unwrap();
    },
    "session.sign_in.revoked" => async {
        let sessions = SessionConfig::builder().secret(secret()).store(Revoking::default()).indexed().build();
        let sign_in = async |r: Request| Session::<Visit>::extract(r.extensions()).await.unwrap().sign_in("ada".into());
        let answer = through(&sessions, Browser::default().request(http::Method::GET, "/"), sign_in).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(sessions.destroy_all_of::<Visit>(&"ada".to_owned()).await.unwrap(), 0);
    },
    "session.csrf.refused" => async {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        let mut post = browser.request(http::Method::POST, "/");
        post.headers_mut().insert("sec-fetch-site", http::HeaderValue::from_static("cross-site"));
        rig.send(post, async |s: Session<Visit>| assert!(s.csrf().check(None).is_err())).await.unwrap();
    },
    "session.load.failed" => failing(Call::Load, Fault::Error(StoreErrorKind::Unavailable), |_| ()),
    "session.field.undecodable" => async {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        rig.ask(&browser, async |s: Session<Numeric>| s.theme.to_string()).await;
    },
    "session.field.unencodable" => async {
        Rig::new().ask(&Browser::default(), async |mut s: Session<Cursed>| s.views = 1).await;
    },
    "session.handle.stale" => async {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        let work = async |request: Request| {
            let mut outer = Session::<Visit>::extract(request.extensions()).await.unwrap();
            outer.views = 9;
            Session::<Visit>::extract(request.extensions()).await.unwrap().sign_in("bob".to_owned());
        };
        rig.raw(browser.request(http::Method::GET, "/"), work).await.unwrap();
    },
    "session.handle.alive" => kept(),
    "session.handle.outlived" => kept(),
    "session.save.failed" => async {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        rig.store.inner.fail(Call::Update, Fault::Error(StoreErrorKind::Unavailable));
        rig.ask(&browser, async |mut s: Session<Visit>| {
            s.views = 9;
            assert!(s.save().await.is_err());
        })
        .await;
    },
    "session.created" => async { drop(Rig::new().anonymous().await) },
    "session.updated" => changed(|s| s.views = 2),
    "session.rotated" => changed(|s| s.rotate()),
    "session.renewed" => renewed(1),
    "session.replaced" => changed(|s| s.regenerate()),
    "session.signed_in" => async { drop(Rig::new().signed_in("ada").await) },
    "session.signed_out" => changed(|s| s.user = None),
    "session.touched" => async {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        rig.clock.advance(minutes(5 * 60));
        rig.ask(&browser, read).await;
    },
    "session.destroyed" => async {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        rig.ask(&browser, async |s: Session<Visit>| drop(s.destroy().await)).await;
    },
    "session.merged" => overtaken(async |r: Request| Session::<Visit>::extract(r.extensions()).await.unwrap().hits += 1),
    "session.merge.panicked" => overtaken(async |r: Request| {
        Session::<Panicking>::extract(r.extensions()).await.unwrap().hits += 1;
    }),
    "session.touch.failed" => async {
        let rig = Rig::with(true, |b| b.touch_throttle(0).build());
        let browser = rig.signed_in("ada").await;
        rig.store.inner.fail(Call::Touch, Fault::Error(StoreErrorKind::Unavailable));
        rig.ask(&browser, read).await;
    },
    "session.commit.superseded" => async {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        let sessions = rig.sessions.clone();
        rig.ask(&browser, async move |mut s: Session<Visit>| {
            sessions.destroy(&s.id().unwrap()).await.unwrap();
            s.views = 9;
        })
        .await;
    },
    "session.commit.unknown" => failing(Call::Update, Fault::LostAnswer, |s| s.views = 9),
    "session.commit.settled" => failing(Call::Update, Fault::LostAnswer, |s| s.rotate()),
    "session.commit.conflict" => async {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let mut slow = rig.start(browser.request(http::Method::GET, "/"), async move |mut s: Session<Visit>| {
            wait.await.unwrap();
            s.state = Some("ours".to_owned());
        });
        assert!(poll_once(&mut slow).is_pending());
        rig.ask(&browser, async |mut s: Session<Visit>| s.state = Some("theirs".to_owned())).await;
        go.send(()).unwrap();
        assert_eq!(slow.await.unwrap().status(), StatusCode::CONFLICT);
    },
    "session.commit.failed" => failing(Call::Update, Fault::Error(StoreErrorKind::Unavailable), |s| s.views = 9),
    "session.cookie.refused" => changed(|s| {
        s.cookie_mut().http_only = false;
        s.rotate();
    }),
    "session.cookie.unsendable" => async {
        let cookie = Cookie::plain(cookie_name!("connect.sid"));
        let sessions = SessionConfig::express().secret(secret()).store(MemoryStore::new()).cookie(cookie).build();
        through(&sessions, Browser::default().request(http::Method::GET, "/"), change).await;
    },
    "session.id.invalid" => async {
        let builder = SessionConfig::express().secret(secret()).store(MemoryStore::new());
        let sessions = builder.generate_id(|_| "no id of ours".to_owned()).build();
        through(&sessions, Browser::default().request(http::Method::GET, "/"), change).await;
    },
    "session.headers.full" => changed_to(|s| {
        s.rotate();
        let mut response = Response::new(String::new());
        for number in 0_u32.. {
            let name = HeaderName::try_from(format!("x-{number}")).unwrap();
            if response.headers_mut().try_insert(name, http::HeaderValue::from_static("")).is_err() {
                break;
            }
        }
        response
    }),
    "session.store.timed_out" => async {
        let rig = Rig::with(false, |b| b.build());
        let browser = rig.signed_in("ada").await;
        rig.store.inner.fail(Call::Load, Fault::Hang);
        rig.ask(&browser, read).await;
    },
    "session.store.panicked" => failing(Call::Load, Fault::Panic, |_| ()),
    "session.store.waited" => failing(Call::Load, Fault::Hang, |_| ()),
    ;
    "session.commit.abandoned" => abandoned,
};

/// A commit that is still running when its request is dropped and then its runtime shuts down.
fn abandoned(runtime: &Runtime) {
    let rig = Rig::with(false, |b| b.build());
    let browser = runtime.block_on(rig.signed_in("ada"));
    let mut response = rig.start(browser.request(http::Method::GET, "/"), async |mut s: Session<Visit>| s.views = 9);
    let inside = runtime.enter();
    while !rig.store.calls.lock().unwrap().iter().any(|(name, _)| *name == "update") {
        assert!(poll_once(&mut response).is_pending());
    }
    drop(inside);
    drop(response);
}

/// Further scenarios without an event, for the metrics.
pub const MORE_SCENARIOS: &[Scenario] = &[
    |runtime| runtime.block_on(failing(Call::Update, Fault::Error(StoreErrorKind::Corrupt), |s| s.views = 9)),
    |runtime| runtime.block_on(failing(Call::Update, Fault::Error(StoreErrorKind::Full), |s| s.views = 9)),
    |runtime| runtime.block_on(failing(Call::Update, Fault::Error(StoreErrorKind::Refused), |s| s.views = 9)),
    |runtime| runtime.block_on(changed(|s| s.theme = "dark".repeat(20_000))),
];

/// Changes a session twice. The second time, another request writes first.
async fn overtaken(change: impl AsyncFn(Request)) {
    let store = Swapping::default();
    let sessions = SessionConfig::builder().secret(secret()).store(store.clone()).build();
    let mut browser = Browser::default();
    for quicker in [0, 1] {
        store.quicker.store(quicker, std::sync::atomic::Ordering::SeqCst);
        let request = browser.request(http::Method::GET, "/");
        browser.keep(&through(&sessions, request, &change).await);
    }
}

#[derive(Session)]
struct Panicking {
    #[session(merge = fails)]
    hits: i64,
}

fn fails(_: i64, _: i64, _: i64) -> i64 {
    panic!("a mistake in a merge function")
}

#[derive(Session)]
struct Numeric {
    theme: u64,
}

#[derive(Session)]
struct Cursed {
    views: u64,
    cursed: Unencodable,
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
struct Unencodable;

impl serde::Serialize for Unencodable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("cursed"))
    }
}

async fn read(_: Session<Visit>) {}

async fn change(request: Request) {
    Session::<Visit>::extract(request.extensions()).await.unwrap().views = 1;
}

/// Sends a signed-in request that changes its session.
async fn changed(change: fn(&mut Session<Visit>)) {
    changed_to(move |s| {
        change(s);
        Response::new(String::new())
    })
    .await;
}

async fn changed_to(change: impl FnOnce(&mut Session<Visit>) -> Response<String> + Send + 'static) {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    rig.ask(&browser, async move |mut s: Session<Visit>| change(&mut s)).await;
}

/// Sends a signed-in request that changes its session, while a store call fails.
async fn failing(call: Call, fault: Fault, change: fn(&mut Session<Visit>)) {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    rig.store.inner.fail(call, fault);
    rig.ask(&browser, async move |mut s: Session<Visit>| change(&mut s)).await;
}

/// Keeps a handle beyond its request and changes it.
async fn kept() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let (keep, kept) = std::sync::mpsc::channel();
    rig.ask(&browser, async move |s: Session<Visit>| keep.send(s).unwrap()).await;
    kept.recv().unwrap().views = 9;
}

/// Sends the first cookie again after this many renewals.
async fn renewed(times: usize) {
    let rig = Rig::with(true, |b| b.renew_after(minutes(30)).build());
    let first = rig.signed_in("ada").await;
    let mut browser = first.clone();
    for _ in 0..times {
        rig.clock.advance(minutes(31));
        rig.visit(&mut browser, read).await;
    }
    rig.ask(&first, read).await;
}
