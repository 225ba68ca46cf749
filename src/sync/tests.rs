//! Every lock and atomic of ours under orders of the threads that a machine seldom shows: the slot of a request that several
//! threads work on, the memory store's shards, the clock.
//!
//! ```text
//! RUSTFLAGS='--cfg shuttle' cargo test --lib sync:: --target-dir target/shuttle
//! ```
//!
//! A failure prints a schedule, which [`shuttle::replay`] takes.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{Extensions, Request, Response};
use http_body_util::Empty;
use shuttle::future::block_on;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};
use tower::{Layer as _, ServiceExt as _};

use crate::{MemoryStore, Secret, Session, SessionConfig, SessionStore as _};
use http_session_store::EnumerateSessions as _;
use http_session_store::clock::{Clock as _, ManualClock};

/// Orders that each test tries.
const ORDERS: usize = 3_000;

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u32>,
    #[session(merge = "add")]
    hits: i64,
    #[session(merge = "append")]
    log: Vec<u32>,
    nonce: Option<u32>,
}

/// At random, and with few but well-placed changes of the thread.
fn try_orders(test: fn()) {
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    Runner::new(RandomScheduler::new(ORDERS / 2), config.clone()).run(test);
    Runner::new(PctScheduler::new(3, ORDERS / 2), config).run(test);
}

#[derive(Clone)]
struct Rig {
    store: MemoryStore,
    sessions: SessionConfig<MemoryStore>,
}

impl Rig {
    fn new() -> Self {
        // One shard: a choice of shards is random.
        let store = MemoryStore::new().max_sessions(100).clock(ManualClock::new());
        let sessions =
            SessionConfig::builder().secret(Secret::random()).store(store.clone()).clock(ManualClock::new()).build();
        Self { store, sessions }
    }

    /// One request, and the cookie that comes of it.
    fn ask(&self, cookie: Option<&str>, work: impl Fn(&Extensions) + Clone) -> Option<String> {
        let service = tower::service_fn(move |request: Request<Empty<Bytes>>| {
            work(request.extensions());
            std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
        });
        let mut request = Request::new(Empty::new());
        if let Some(cookie) = cookie {
            request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
        }
        let response = block_on(self.sessions.layer().layer(service).oneshot(request)).unwrap();
        assert!(response.status().is_success());
        let line = response.headers().get(SET_COOKIE)?.to_str().unwrap();
        Some(line.split(';').next().unwrap().to_owned())
    }

    fn signed_in(&self) -> String {
        self.ask(None, |extensions| handle(extensions).sign_in(7)).unwrap()
    }

    /// What the only session holds; `None` when it is gone.
    fn fields(&self) -> Option<(bool, Option<Vec<u8>>)> {
        let id = block_on(self.store.ids(None, 9)).unwrap().ids.pop()?;
        let record = block_on(self.store.load(&id)).unwrap().unwrap();
        Some((record.identity.is_some(), record.fields.find("hits").map(<[u8]>::to_vec)))
    }
}

fn handle(extensions: &Extensions) -> Session<Visit> {
    block_on(Session::extract(extensions)).unwrap()
}

fn together(works: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = works.into_iter().map(thread::spawn).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Requests in threads of their own, all with one cookie.
fn requests(rig: &Rig, cookie: &str, works: &[fn(&Extensions)]) {
    let works = works.iter().map(|work| {
        let (rig, cookie, work) = (rig.clone(), cookie.to_owned(), *work);
        Box::new(move || drop(rig.ask(Some(&cookie), work))) as Box<dyn FnOnce() + Send>
    });
    together(works.collect());
}

/// Threads within one request, each with what it does to a handle of its own.
fn handles(rig: &Rig, cookie: &str, works: &'static [fn(&Extensions)]) -> Option<String> {
    rig.ask(Some(cookie), move |extensions| {
        let works = works.iter().map(|work| {
            let (extensions, work) = (extensions.clone(), *work);
            Box::new(move || work(&extensions)) as Box<dyn FnOnce() + Send>
        });
        together(works.collect());
    })
}

fn count(extensions: &Extensions) {
    let mut session = handle(extensions);
    session.hits += 1;
    let length = session.log.len() as u32;
    session.log.push(length);
}

fn save(extensions: &Extensions) {
    let mut session = handle(extensions);
    session.hits += 1;
    block_on(session.save()).unwrap();
}

fn leave(extensions: &Extensions) {
    block_on(handle(extensions).sign_out()).unwrap();
}

fn end(extensions: &Extensions) {
    block_on(handle(extensions).destroy()).unwrap();
}

#[test]
fn r9_threads_of_one_request_lose_nothing() {
    try_orders(|| {
        let rig = Rig::new();
        let cookie = rig.signed_in();
        let _ = handles(&rig, &cookie, &[count, count, count]);
        assert_eq!(rig.fields(), Some((true, Some(b"3".to_vec()))));
    });
}

#[test]
fn r9_saves_and_changes_of_one_request_add_up() {
    try_orders(|| {
        let rig = Rig::new();
        let cookie = rig.signed_in();
        let _ = handles(&rig, &cookie, &[save, count, save]);
        assert_eq!(rig.fields(), Some((true, Some(b"3".to_vec()))));
    });
}

#[test]
fn r4_what_was_counted_for_a_user_is_not_there_after_the_sign_out() {
    try_orders(|| {
        let rig = Rig::new();
        let cookie = rig.signed_in();
        assert!(handles(&rig, &cookie, &[count, leave]).is_some());
        let (is_signed_in, hits) = rig.fields().unwrap();
        // Counted before the sign-out, it is gone; counted after it, it is the visitor's.
        assert!(!is_signed_in && hits.is_none_or(|hits| hits == b"1"));
    });
}

#[test]
fn r13_one_of_two_threads_takes_the_nonce() {
    static TAKEN: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    fn take(extensions: &Extensions) {
        if let Ok(Some(_)) = block_on(handle(extensions).take(|visit| visit.nonce.take())) {
            TAKEN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    try_orders(|| {
        let rig = Rig::new();
        let cookie = rig.ask(None, |extensions| handle(extensions).nonce = Some(1)).unwrap();
        TAKEN.store(0, std::sync::atomic::Ordering::Relaxed);
        requests(&rig, &cookie, &[take, take]);
        assert_eq!(TAKEN.load(std::sync::atomic::Ordering::Relaxed), 1);
    });
}

#[test]
fn r9_requests_at_the_same_moment_add_up() {
    try_orders(|| {
        let rig = Rig::new();
        let cookie = rig.signed_in();
        requests(&rig, &cookie, &[count, save, count]);
        assert_eq!(rig.fields(), Some((true, Some(b"3".to_vec()))));
    });
}

#[test]
fn r8_no_request_brings_a_destroyed_session_back() {
    try_orders(|| {
        let rig = Rig::new();
        let cookie = rig.signed_in();
        requests(&rig, &cookie, &[count, end, count]);
        assert_eq!(rig.fields(), None);
    });
}

#[test]
fn r11_no_request_signs_in_again_who_signed_out() {
    try_orders(|| {
        let rig = Rig::new();
        let cookie = rig.signed_in();
        requests(&rig, &cookie, &[count, leave, |extensions| handle(extensions).rotate()]);
        // Signed out by a cookie that the rotation has superseded, the session is gone.
        assert!(rig.fields().is_none_or(|(is_signed_in, hits)| !is_signed_in && hits.is_none()));
    });
}

#[test]
fn a_clock_of_several_threads_goes_forward_and_misses_nothing() {
    try_orders(|| {
        let clock = ManualClock::new();
        let before = clock.elapsed();
        let advance = |clock: ManualClock| {
            thread::spawn(move || {
                let seen = clock.elapsed();
                clock.advance(Duration::from_secs(1));
                assert!(clock.elapsed() > seen);
            })
        };
        let threads = [advance(clock.clone()), advance(clock.clone())];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(clock.elapsed() - before, Duration::from_secs(2));
    });
}
