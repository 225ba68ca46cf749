//! Tests of our locks and atomics under orders of the threads that rarely occur on a real machine. They cover the slot of a
//! request on which several threads work, the shards of the memory store, and the clock.
//!
//! ```text
//! RUSTFLAGS='--cfg shuttle' cargo test --lib sync:: --target-dir target/shuttle
//! ```
//!
//! A failure prints a schedule, which [`shuttle::replay`] runs again.

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

/// How many orders each test tries.
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

/// Half of the orders are random. The other half switch threads at few but well-chosen moments.
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
        // Few enough sessions for a single shard: which shard a session goes to is random, and a schedule could not be
        // replayed.
        let store = MemoryStore::new().max_sessions(100).clock(ManualClock::new());
        let sessions =
            SessionConfig::builder().secret(Secret::random()).store(store.clone()).clock(ManualClock::new()).build();
        Self { store, sessions }
    }

    /// One request. Returns the cookie of its response, if there is one.
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

    /// Whether the only session is signed in, and its hits. `None` if there is no session.
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

/// Requests in threads of their own, all with the same cookie.
fn requests(rig: &Rig, cookie: &str, works: &[fn(&Extensions)]) {
    let works = works.iter().map(|work| {
        let (rig, cookie, work) = (rig.clone(), cookie.to_owned(), *work);
        Box::new(move || drop(rig.ask(Some(&cookie), work))) as Box<dyn FnOnce() + Send>
    });
    together(works.collect());
}

/// Threads within one request, each with a handle of its own.
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
fn r9_no_change_of_threads_of_one_request_is_lost() {
    try_orders(|| {
        let rig = Rig::new();
        let cookie = rig.signed_in();
        let _ = handles(&rig, &cookie, &[count, count, count]);
        assert_eq!(rig.fields(), Some((true, Some(b"3".to_vec()))));
    });
}

#[test]
fn r9_saves_and_changes_of_threads_of_one_request_add_up() {
    try_orders(|| {
        let rig = Rig::new();
        let cookie = rig.signed_in();
        let _ = handles(&rig, &cookie, &[save, count, save]);
        assert_eq!(rig.fields(), Some((true, Some(b"3".to_vec()))));
    });
}

#[test]
fn r4_hits_of_a_user_are_gone_after_the_sign_out() {
    try_orders(|| {
        let rig = Rig::new();
        let cookie = rig.signed_in();
        assert!(handles(&rig, &cookie, &[count, leave]).is_some());
        let (is_signed_in, hits) = rig.fields().unwrap();
        // A hit from before the sign-out is gone. A hit from after it belongs to the visitor.
        assert!(!is_signed_in && hits.is_none_or(|hits| hits == b"1"));
    });
}

#[test]
fn r13_only_one_of_two_threads_takes_the_nonce() {
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
fn r9_changes_of_simultaneous_requests_add_up() {
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
fn r11_no_request_undoes_a_sign_out() {
    try_orders(|| {
        let rig = Rig::new();
        let cookie = rig.signed_in();
        requests(&rig, &cookie, &[count, leave, |extensions| handle(extensions).rotate()]);
        // If the rotation came first, the sign-out came with a superseded cookie, and the session is gone.
        assert!(rig.fields().is_none_or(|(is_signed_in, hits)| !is_signed_in && hits.is_none()));
    });
}

#[test]
fn a_clock_that_several_threads_advance_goes_forward_and_misses_nothing() {
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
