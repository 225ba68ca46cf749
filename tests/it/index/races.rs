//! A sign-in and the end of all sessions of the same user, in every order of their store calls.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, StatusCode};
use http_session::error::StoreError;
use http_session::record::{Epoch, Lifetime, Patch, RawJson, Record};
use http_session::store::{
    Destroyed, EnumerateSessions as _, ExpressFormat, Generation, IndexSessions, Indexed, Inserted, Touched, Updated,
};
use http_session::{MemoryStore, Session, SessionConfig, SessionId, SessionStore, config::express::SaveUninitialized};
use tokio::sync::Semaphore;

use super::Device;
use crate::support::{Answer, Browser, Request, secret, settle, through};

/// A store that waits for a permit before each call, and records the call.
#[derive(Clone)]
struct Gated {
    inner: MemoryStore,
    actor: &'static str,
    gate: Arc<Semaphore>,
    calls: Arc<Mutex<Vec<(&'static str, &'static str)>>>,
}

impl Gated {
    async fn pass(&self, call: &'static str) {
        self.gate.acquire().await.unwrap().forget();
        self.calls.lock().unwrap().push((self.actor, call));
    }
}

impl ExpressFormat for Gated {}

impl SessionStore for Gated {
    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        self.pass("load").await;
        self.inner.load(id).await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        self.pass("insert").await;
        self.inner.insert(id, record, lifetime).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        self.pass("update").await;
        self.inner.update(id, patch, lifetime).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        self.pass("touch").await;
        self.inner.touch(id, epoch, lifetime).await
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        self.pass("destroy").await;
        self.inner.destroy(id, epoch).await
    }
}

impl IndexSessions for Gated {
    async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        self.pass("generation").await;
        self.inner.generation(identity).await
    }

    async fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Result<(), StoreError> {
        self.pass("raise").await;
        self.inner.raise_generation(identity, generation).await
    }

    async fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.pass("linked").await;
        self.inner.linked(identity, after, limit).await
    }

    async fn link(&self, identity: &RawJson, id: &SessionId, lifetime: Duration) -> Result<Generation, StoreError> {
        self.pass("link").await;
        self.inner.link(identity, id, lifetime).await
    }
}

type Config = SessionConfig<Indexed<Gated>>;

/// What a browser has before it signs a user in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// No cookie.
    New,
    /// The session of a visitor.
    Visitor,
    /// A session of the same user.
    Again,
    /// A session of another user.
    Switch,
    /// The session of a visitor, which is regenerated first.
    Regenerated,
}

const STARTS: [Start; 5] = [Start::New, Start::Visitor, Start::Again, Start::Switch, Start::Regenerated];

struct Race {
    store: MemoryStore,
    calls: Arc<Mutex<Vec<(&'static str, &'static str)>>>,
    free: Config,
    gates: [Arc<Semaphore>; 2],
    login: Config,
    end: Config,
}

impl Race {
    fn new(express: bool) -> Self {
        let store = MemoryStore::new();
        let calls = Arc::default();
        let open = |actor, permits| {
            let gate = Arc::new(Semaphore::new(permits));
            let gated = Gated { inner: store.clone(), actor, gate: Arc::clone(&gate), calls: Arc::clone(&calls) };
            let config = if express {
                let builder = SessionConfig::express().secret(secret()).store(gated).indexed();
                builder.save_uninitialized(SaveUninitialized::Never).build()
            } else {
                SessionConfig::builder().secret(secret()).store(gated).indexed().build()
            };
            (gate, config)
        };
        let (_, free) = open("free", 10_000);
        let (login_gate, login) = open("login", 0);
        let (end_gate, end) = open("end", 0);
        Self { store: store.clone(), calls: Arc::clone(&calls), free, gates: [login_gate, end_gate], login, end }
    }

    async fn sign_in(config: &Config, browser: &Browser, user: &'static str, start: Start) -> Answer {
        through(config, browser.request(Method::GET, "/"), async |request: Request| {
            let mut session = Session::<Device>::extract(request.extensions()).await.unwrap();
            if start == Start::Regenerated {
                session.regenerate();
            }
            session.sign_in(user.to_owned());
        })
        .await
    }

    async fn prepared(&self, start: Start) -> Browser {
        let mut browser = Browser::default();
        let answer = match start {
            Start::New => return browser,
            Start::Visitor | Start::Regenerated => {
                through(&self.free, browser.request(Method::GET, "/"), async |request: Request| {
                    Session::<Device>::extract(request.extensions()).await.unwrap().views = 1;
                })
                .await
            }
            Start::Again => Self::sign_in(&self.free, &browser, "ada", start).await,
            Start::Switch => Self::sign_in(&self.free, &browser, "bob", start).await,
        };
        browser.keep(&answer);
        browser
    }

    /// Runs a request and the end of all sessions side by side. In each step of `order`, the request (`false`) or the
    /// end of all sessions (`true`) may make one store call. Afterwards both run to completion.
    async fn interleave(&self, request: impl Future<Output = Answer> + 'static, order: &[bool]) -> Answer {
        let end = self.end.clone();
        self.calls.lock().unwrap().clear();
        tokio::task::LocalSet::new()
            .run_until(async {
                let request = tokio::task::spawn_local(request);
                let end = tokio::task::spawn_local(async move {
                    end.destroy_all_of::<Device>(&"ada".to_owned()).await.unwrap();
                });
                settle().await;
                for &step in order {
                    self.gates[usize::from(step)].add_permits(1);
                    settle().await;
                }
                self.gates.iter().for_each(|gate| gate.add_permits(100));
                end.await.unwrap();
                request.await.unwrap()
            })
            .await
    }

    async fn run(&self, start: Start, order: &[bool]) -> (Browser, Answer) {
        let mut browser = self.prepared(start).await;
        let (login, sender) = (self.login.clone(), browser.clone());
        let answer = self.interleave(async move { Self::sign_in(&login, &sender, "ada", start).await }, order).await;
        browser.keep(&answer);
        (browser, answer)
    }

    async fn check(&self, start: Start, order: &[bool]) {
        let (browser, answer) = self.run(start, order).await;
        let calls = self.calls.lock().unwrap().clone();
        let context = format!("{start:?}, {calls:?}");
        let place = |call| calls.iter().position(|noted| *noted == call).expect("a call");
        let of_ada = self.store.linked(&RawJson::new(b"\"ada\""), None, 10).await.unwrap();

        assert!(matches!(answer.status, StatusCode::OK | StatusCode::CONFLICT), "{context}");
        if answer.status == StatusCode::CONFLICT {
            assert_eq!(answer.set_cookies(), [""; 0], "{context}");
        }
        let first_look = calls.iter().position(|call| *call == ("login", "link"));
        if let Some(first_look) = first_look.filter(|look| *look < place(("end", "raise"))) {
            assert_eq!(
                of_ada.len(),
                0,
                "the sign-in read the generation at {first_look}, before it was raised, and is still alive: {context}"
            );
        }
        let last_of_end = calls.iter().rposition(|(actor, _)| *actor == "end").unwrap();
        let first_of_login = calls.iter().position(|(actor, _)| *actor == "login").unwrap();
        if last_of_end < first_of_login {
            // A session that was signed in already was ended too, so the sign-in begins a new session.
            assert_eq!((answer.status, of_ada.len()), (StatusCode::OK, 1), "{context}");
        }
        // The response tells the truth: the browser is signed in exactly if there is a record.
        let mut user = None;
        through(&self.free, browser.request(Method::GET, "/"), async |request: Request| {
            user.clone_from(&Session::<Device>::extract(request.extensions()).await.unwrap().user);
        })
        .await;
        assert_eq!(user.as_deref() == Some("ada"), of_ada.len() == 1, "{context}");
        // There is no record without a cookie: the browser can reach every record that the sign-in left.
        assert!(self.store.len().await.unwrap() <= 1, "a record without a cookie: {context}");
    }
}

/// Returns all orders of this many steps of each.
fn orders(login: usize, end: usize) -> Vec<Vec<bool>> {
    let all = 0_u32..1 << (login + end);
    let chosen = all.filter(|bits| bits.count_ones() as usize == end);
    chosen.map(|bits| (0..login + end).map(|place| bits >> place & 1 == 1).collect()).collect()
}

async fn every_order(express: bool) {
    for start in STARTS {
        for order in orders(6, 4) {
            Race::new(express).check(start, &order).await;
        }
    }
}

#[tokio::test]
async fn r28_in_any_order_no_earlier_sign_in_survives_the_end_of_all_sessions() {
    every_order(false).await;
}

#[tokio::test]
async fn r28_in_any_order_no_earlier_express_sign_in_survives_the_end_of_all_sessions() {
    every_order(true).await;
}

/// What gives a signed-in session a new verifier without a sign-in.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Rotate,
    DestroyOthers,
}

impl Race {
    async fn turn(config: &Config, browser: &Browser, turn: Turn) -> Answer {
        through(config, browser.request(Method::GET, "/"), async |request: Request| {
            let mut session = Session::<Device>::extract(request.extensions()).await.unwrap();
            match turn {
                Turn::Rotate => session.rotate(),
                Turn::DestroyOthers => _ = config.destroy_others(&mut session).await,
            }
        })
        .await
    }

    async fn check_turn(&self, turn: Turn, order: &[bool]) {
        let browser = self.prepared(Start::Again).await;
        let login = self.login.clone();
        self.interleave(async move { Self::turn(&login, &browser, turn).await }, order).await;
        let calls = self.calls.lock().unwrap().clone();
        assert_eq!(self.store.len().await.unwrap(), 0, "{turn:?}, {calls:?}");
    }
}

// Without a sign-in, the session ends, even if it moves to another record meanwhile.
#[tokio::test]
async fn r28_in_any_order_a_session_that_moves_does_not_survive_the_end_of_all_sessions() {
    for express in [false, true] {
        for turn in [Turn::Rotate, Turn::DestroyOthers] {
            for order in orders(7, 4) {
                Race::new(express).check_turn(turn, &order).await;
            }
        }
    }
}
