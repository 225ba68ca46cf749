//! Random sequences in which versions of a program use one session in turn or concurrently, and arbitrary bytes are
//! written into the store.

use http::{Method, StatusCode};
use http_session::Session;
use http_session::SessionStore as _;
use http_session::config::builder::Builder;
use http_session::record::{Fields, IdentityChange, Keep, Lifetime, Patch, RawJson};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::model::{Act, Request, Stored, View};
use super::versions::*;
use crate::support::{Answer, Browser, Pending, Rig, minutes, poll_once};

#[derive(Clone, Debug)]
enum Turn {
    Visit {
        version: usize,
        acts: Vec<Act>,
    },
    /// The first request loads, the second one loads and commits, and then the first one commits.
    Together {
        versions: (usize, usize),
        first: Vec<Act>,
        second: Vec<Act>,
    },
    /// Writes bytes into the store that no version would write.
    Write {
        name: &'static str,
        keep: Keep,
        raw: &'static [u8],
        before: bool,
    },
    Identify {
        raw: &'static [u8],
    },
}

const NAMES: [&str; 13] = [
    "views", "colour", "theme", "look", "cart", "basket", "retired", "note", "remark", "plan", "language", "unknown",
    "имя",
];
const RAWS: [&[u8]; 16] = [
    b"0",
    b"3.0",
    b" 7 ",
    b"null",
    b"\"dark\"",
    b"\"d\\u0061rk\"",
    b"[\"a\" ]",
    b"{}",
    b"{\"a\":1,\"a\":2}",
    b"",
    b"{",
    b"nul",
    b"\xff\xfe",
    b"\"\\ud800\"",
    b"1e999",
    b"[[[[[[[[",
];
const IDENTITIES: [&[u8]; 6] = [b"\"ada\"", b" \"bob\"", b"1", b"null", b"{", b""];

type Step = fn(&Rig, &Browser, Vec<Act>, Option<oneshot::Receiver<()>>) -> Pending;

/// Returns every version, as a view of the model and as a function that sends requests.
fn versions() -> [(View, Step); 13] {
    fn of<T: Version>() -> (View, Step) {
        (View::of::<T>(), start::<T>)
    }
    [
        of::<First>(),
        of::<Renamed>(),
        of::<Retyped>(),
        of::<Numbered>(),
        of::<Library>(),
        of::<Strict>(),
        of::<Stricter>(),
        of::<Chained>(),
        of::<Marked>(),
        of::<Defaults>(),
        of::<Ruled>(),
        of::<Anything>(),
        of::<Stranger>(),
    ]
}

/// Sends a request that does these steps and waits. Its answer shows the session before and after them.
fn start<T: Version>(rig: &Rig, browser: &Browser, acts: Vec<Act>, wait: Option<oneshot::Receiver<()>>) -> Pending {
    rig.start(browser.request(Method::GET, "/"), async move |mut session: Session<T>| {
        let before = (session.shown(), session.user());
        let view = View::of::<T>();
        for act in acts {
            match act {
                Act::Set(place, value) => {
                    let (place, raw) = view.choose(place, value);
                    session.set(place, raw);
                }
                Act::SignIn(user) => view.user(user).into_iter().for_each(|user| T::sign_in(&mut session, user)),
                Act::SignOut => T::sign_out(&mut session),
                Act::Rotate => session.rotate(),
                Act::Regenerate => session.regenerate(),
            }
        }
        let after = (session.shown(), session.user());
        if let Some(wait) = wait {
            wait.await.unwrap();
        }
        format!("{before:?} {after:?}")
    })
}

fn distinct(version: usize, acts: &[Act]) -> Vec<Act> {
    versions()[version].0.distinct(acts)
}

struct Play {
    rig: Rig,
    browser: Browser,
    stored: Option<Stored>,
}

impl Play {
    fn request(&self, version: usize) -> Request {
        Request::new(versions()[version].0.clone(), self.stored.clone())
    }

    /// Returns what the handler of a request should see, or `None` if it should not run.
    fn expected(&self, version: usize, acts: &[Act]) -> (Option<String>, Request) {
        let mut request = self.request(version);
        let opens = self.stored.as_ref().is_none_or(|stored| versions()[version].0.opens(stored));
        let before = request.shown();
        if opens {
            acts.iter().for_each(|act| request.act(act));
        }
        let after = request.shown();
        (opens.then(|| format!("{before:?} {after:?}")), request)
    }

    async fn visit(&mut self, version: usize, acts: &[Act]) -> Result<(), TestCaseError> {
        let (seen, request) = self.expected(version, acts);
        let step = versions()[version].1;
        let answer = step(&self.rig, &self.browser, acts.to_vec(), None).await.unwrap();
        self.judge(Answer::read(answer).await, seen, request).await
    }

    async fn judge(&mut self, answer: Answer, seen: Option<String>, request: Request) -> Result<(), TestCaseError> {
        self.browser.keep(&answer);
        match seen {
            None => prop_assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR),
            Some(seen) => match request.clone().commit(self.stored.clone()) {
                Ok(stored) => {
                    prop_assert_eq!(answer.status, StatusCode::OK);
                    prop_assert_eq!(answer.text, seen);
                    self.stored = stored;
                }
                Err(()) => {
                    prop_assert_eq!(answer.status, StatusCode::CONFLICT);
                    self.stored = self.stored.take().map(|stored| request.refused(stored));
                }
            },
        }
        self.compare().await
    }

    async fn together(
        &mut self,
        (one, two): (usize, usize),
        first: &[Act],
        second: &[Act],
    ) -> Result<(), TestCaseError> {
        let (seen, request) = self.expected(one, first);
        let (go, wait) = oneshot::channel();
        let step = versions()[one].1;
        let mut slow = step(&self.rig, &self.browser, first.to_vec(), Some(wait));
        if seen.is_none() {
            let answer = Answer::read(slow.await.unwrap()).await;
            return self.judge(answer, seen, request).await;
        }
        // A waiting store answers at the second poll.
        prop_assert!(poll_once(&mut slow).is_pending() && poll_once(&mut slow).is_pending());
        self.visit(two, second).await?;
        go.send(()).unwrap();
        let answer = Answer::read(slow.await.unwrap()).await;
        self.judge(answer, seen, request).await
    }

    /// Writes directly into the store.
    async fn write(&mut self, change: impl FnOnce(&mut Patch)) {
        let Some(id) = self.rig.ids().await.pop() else { return };
        let record = self.rig.record(&id).await.unwrap();
        let mut patch = Patch::unchanged(&record);
        change(&mut patch);
        let lifetime = Lifetime::new(minutes(60), minutes(600));
        let _ = self.rig.store.inner.store().update(&id, &patch, lifetime).await.unwrap();
        self.stored = self.rig.record(&id).await.as_ref().map(Stored::from);
    }

    async fn turn(&mut self, turn: &Turn) -> Result<(), TestCaseError> {
        match turn {
            Turn::Visit { version, acts } => self.visit(*version, &distinct(*version, acts)).await?,
            Turn::Together { versions: (one, two), first, second } if self.stored.is_some() => {
                self.together((*one, *two), &distinct(*one, first), &distinct(*two, second)).await?;
            }
            // Without a session, each request would begin its own session.
            Turn::Together { .. } => {}
            Turn::Write { name, keep, raw, before } => {
                let field = Fields::from_iter([(*name, *keep, *raw)]);
                self.write(|patch| {
                    let mut block = [patch.base.as_bytes(), field.as_bytes()];
                    if *before {
                        block.reverse();
                    }
                    patch.result = Fields::from_bytes(&block.concat()).unwrap();
                })
                .await;
            }
            Turn::Identify { raw } => self.write(|patch| patch.identity = IdentityChange::Set(RawJson::new(raw))).await,
        }
        Ok(())
    }

    async fn compare(&self) -> Result<(), TestCaseError> {
        let ids = self.rig.ids().await;
        prop_assert!(ids.len() <= 1);
        let record = match ids.first() {
            Some(id) => self.rig.record(id).await,
            None => None,
        };
        prop_assert_eq!(&record.as_ref().map(Stored::from), &self.stored);
        Ok(())
    }
}

fn sets() -> impl Strategy<Value = Vec<Act>> {
    vec((0..5_usize, 0..12_usize).prop_map(|(place, value)| Act::Set(place, value)), 0..3)
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let begin = prop_oneof![9 => Just(None), 1 => Just(Some(Act::Regenerate))];
    let identity = prop_oneof![
        6 => Just(None),
        2 => (0..4_usize).prop_map(|user| Some(Act::SignIn(user))),
        1 => Just(Some(Act::SignOut)),
        1 => Just(Some(Act::Rotate)),
    ];
    (sets(), begin, sets(), identity, sets()).prop_map(|(before, begin, between, identity, after)| {
        [before, begin.into_iter().collect(), between, identity.into_iter().collect(), after].concat()
    })
}

fn turn(of: [usize; 3]) -> impl Strategy<Value = Turn> {
    let version = move || (0..3_usize).prop_map(move |which| of[which]);
    let keep = prop_oneof![Just(Keep::No), Just(Keep::SignIn), Just(Keep::Always)];
    prop_oneof![
        6 => (version(), acts()).prop_map(|(version, acts)| Turn::Visit { version, acts }),
        2 => (version(), version(), acts(), sets())
            .prop_map(|(one, two, first, second)| Turn::Together { versions: (one, two), first, second }),
        2 => (0..NAMES.len(), keep, 0..RAWS.len(), any::<bool>())
            .prop_map(|(name, keep, raw, before)| Turn::Write { name: NAMES[name], keep, raw: RAWS[raw], before }),
        1 => (0..IDENTITIES.len()).prop_map(|raw| Turn::Identify { raw: IDENTITIES[raw] }),
    ]
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    [0..13_usize, 0..13_usize, 0..13_usize].prop_flat_map(|of| vec(turn(of), 1..16))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r15_r16_r17_versions_that_share_a_session_lose_nothing(
        turns in turns(), is_instant in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut play = Play { rig: Rig::with(is_instant, Builder::build), browser: Browser::default(), stored: None };
            for turn in &turns {
                play.turn(turn).await?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}
