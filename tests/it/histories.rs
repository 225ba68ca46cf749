//! Random histories of requests, one after the other, compared with a model of a session: a few browsers, lost
//! responses, failed requests, and time.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_session::clock::ManualClock;
use http_session::{MemoryStore, Session, SessionConfig};
use proptest::prelude::*;

use crate::support::{Browser, secret};

#[derive(Session)]
struct Visit {
    views: u64,
    #[session(identity)]
    user: Option<u8>,
    #[session(keep = "sign_in")]
    cart: Vec<u8>,
    #[session(keep)]
    theme: Option<u8>,
}

/// What a handler does to the session.
#[derive(Clone, Copy, Debug)]
enum Action {
    Look,
    View,
    Add(u8),
    Theme(u8),
    SignIn(u8),
    AssignUser(u8),
    AssignNobody,
    SignOut,
    Rotate,
    Regenerate,
    Destroy,
}

/// One step of a history.
#[derive(Clone, Copy, Debug)]
enum Step {
    Request { browser: usize, action: Action, status: u16, delivered: bool },
    Wait(u64),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => Just(Action::Look),
        4 => Just(Action::View),
        2 => (0..9u8).prop_map(Action::Add),
        2 => (0..3u8).prop_map(Action::Theme),
        3 => (0..3u8).prop_map(Action::SignIn),
        1 => (0..3u8).prop_map(Action::AssignUser),
        1 => Just(Action::AssignNobody),
        2 => Just(Action::SignOut),
        1 => Just(Action::Rotate),
        1 => Just(Action::Regenerate),
        1 => Just(Action::Destroy),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![6 => Just(200), 1 => Just(404), 1 => Just(408), 1 => Just(500)];
    let delivered = prop_oneof![5 => Just(true), 1 => Just(false)];
    prop_oneof![
        8 => (0..3usize, action(), status, delivered)
            .prop_map(|(browser, action, status, delivered)| Step::Request { browser, action, status, delivered }),
        1 => prop_oneof![Just(5), Just(50), Just(61), Just(11 * 60), Just(23 * 3600), Just(25 * 3600)].prop_map(Step::Wait),
    ]
}

/// The fields of a session, in the model.
#[derive(Clone, Debug, Default, PartialEq)]
struct Data {
    views: u64,
    user: Option<u8>,
    cart: Vec<u8>,
    theme: Option<u8>,
}

impl Data {
    fn show(&self) -> String {
        format!("{} {:?} {:?} {:?}", self.views, self.user, self.cart, self.theme)
    }

    /// Applies R5, if the request changed nothing before.
    fn change_user(&mut self, user: Option<u8>) {
        let cart = match (self.user, user) {
            (None, Some(_)) => std::mem::take(&mut self.cart),
            (before, after) if before == after => return,
            _ => Vec::new(),
        };
        *self = Self { user, cart, theme: self.theme, views: 0 };
    }
}

#[derive(Clone, Debug)]
struct Record {
    data: Data,
    version: u32,
    rotated: u64,
    ends: u64,
    destroyed: bool,
}

const DAY: u64 = 24 * 3600;
const LATE: u64 = 60;

/// What a browser's cookie finds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Found {
    New,
    Record(usize),
    Late,
}

#[derive(Default)]
struct Model {
    now: u64,
    records: Vec<Record>,
    jars: BTreeMap<usize, (usize, u32)>,
}

/// What happens to the browser's cookie.
enum Cookie {
    Same,
    Gone,
    Of(usize),
}

impl Model {
    fn find(&self, browser: usize) -> Found {
        let Some(&(index, version)) = self.jars.get(&browser) else { return Found::New };
        let record = &self.records[index];
        if self.now >= record.ends {
            return Found::New;
        }
        match (record.destroyed, record.version == version) {
            (false, true) => Found::Record(index),
            _ if self.now - record.rotated <= LATE => Found::Late,
            _ => Found::New,
        }
    }

    /// Whether the cookie is superseded. Such a cookie may still end the session, which other tests check (R6).
    fn is_superseded(&self, browser: usize) -> bool {
        self.jars.get(&browser).is_some_and(|&(index, version)| {
            let record = &self.records[index];
            self.now < record.ends && (record.destroyed || record.version != version)
        })
    }

    fn insert(&mut self, data: Data) -> Cookie {
        let ends = self.now + if data.user.is_some() { DAY } else { 600 };
        self.records.push(Record { data, version: 0, rotated: self.now, ends, destroyed: false });
        Cookie::Of(self.records.len() - 1)
    }

    fn destroy(&mut self, index: usize) -> Cookie {
        let now = self.now;
        let record = &mut self.records[index];
        (record.destroyed, record.rotated, record.ends) = (true, now, now + 60);
        Cookie::Gone
    }

    /// Applies a request and returns what its handler sees.
    fn request(&mut self, browser: usize, action: Action, status: u16, delivered: bool) -> String {
        let found = self.find(browser);
        let (before, seen) = self.outcome(found, action);
        let cookie = self.commit(found, action, status, &before, &seen);
        if delivered {
            match cookie {
                Cookie::Same => {}
                Cookie::Gone => drop(self.jars.remove(&browser)),
                Cookie::Of(index) => drop(self.jars.insert(browser, (index, self.records[index].version))),
            }
        }
        seen.show()
    }

    fn outcome(&self, found: Found, action: Action) -> (Data, Data) {
        let before = match found {
            Found::Record(index) => self.records[index].data.clone(),
            Found::New | Found::Late => Data::default(),
        };
        let mut seen = before.clone();
        match action {
            Action::Look | Action::Rotate | Action::Destroy => {}
            Action::View => seen.views += 1,
            Action::Add(item) => seen.cart.push(item),
            Action::Theme(theme) => seen.theme = Some(theme),
            Action::SignIn(user) | Action::AssignUser(user) => seen.change_user(Some(user)),
            Action::AssignNobody | Action::SignOut => seen.change_user(None),
            Action::Regenerate => seen = Data::default(),
        }
        (before, seen)
    }

    fn commit(&mut self, found: Found, action: Action, status: u16, before: &Data, seen: &Data) -> Cookie {
        let signs_in = seen.user.is_some() && (seen.user != before.user || matches!(action, Action::SignIn(_)));
        let signs_out = before.user.is_some() && seen.user.is_none() && !matches!(action, Action::Regenerate);
        let committed = match status {
            200 => true,
            404 => !signs_in,
            _ => false,
        };
        match (found, action) {
            (Found::New, Action::Regenerate) | (Found::Late, Action::Regenerate) if committed => {
                self.insert(seen.clone())
            }
            (Found::Late, _) if committed && signs_in => self.insert(seen.clone()),
            // This does not handle sign-outs by superseded cookies.
            (Found::Late, _) => Cookie::Same,
            (Found::New, _) if committed && (signs_in || seen != before) => self.insert(seen.clone()),
            (Found::New, _) => Cookie::Same,
            (Found::Record(index), Action::Destroy) => self.destroy(index),
            (Found::Record(index), Action::Regenerate) if committed => {
                self.destroy(index);
                self.insert(seen.clone())
            }
            (Found::Record(index), action) => {
                let rotates = signs_in || signs_out || matches!(action, Action::Rotate);
                let now = self.now;
                let record = &mut self.records[index];
                record.ends = now + DAY;
                if !committed && !signs_out {
                    return Cookie::Same;
                }
                record.data = seen.clone();
                if !rotates {
                    return Cookie::Same;
                }
                record.version += 1;
                record.rotated = now;
                Cookie::Of(index)
            }
        }
    }
}

async fn act(request: Request<String>, mut session: Session<Visit>) -> Result<Response<String>, Infallible> {
    let words: Vec<_> = request.uri().path().trim_start_matches('/').split('/').collect();
    let number = || words[1].parse().unwrap();
    let show = |session: &Session<Visit>| {
        format!("{} {:?} {:?} {:?}", session.views, session.user, session.cart, session.theme)
    };
    match words[0] {
        "View" => session.views += 1,
        "Add" => session.cart.push(number()),
        "Theme" => session.theme = Some(number()),
        "SignIn" => session.sign_in(number()),
        "AssignUser" => session.user = Some(number()),
        "AssignNobody" => session.user = None,
        "SignOut" => drop(session.sign_out().await.unwrap()),
        "Rotate" => session.rotate(),
        "Regenerate" => session.regenerate(),
        _ => {}
    }
    // A second mutable access applies an assigned identity, so that the fields show their later values.
    let _: &mut Visit = &mut session;
    let text = show(&session);
    if words[0] == "Destroy" {
        session.destroy().await.unwrap();
    }
    let status = StatusCode::from_u16(words[2].parse().unwrap()).unwrap();
    Ok(Response::builder().status(status).body(text).unwrap())
}

fn path(action: Action, status: u16) -> String {
    let (word, number) = match action {
        Action::Look => ("Look", 0),
        Action::View => ("View", 0),
        Action::Add(item) => ("Add", item),
        Action::Theme(theme) => ("Theme", theme),
        Action::SignIn(user) => ("SignIn", user),
        Action::AssignUser(user) => ("AssignUser", user),
        Action::AssignNobody => ("AssignNobody", 0),
        Action::SignOut => ("SignOut", 0),
        Action::Rotate => ("Rotate", 0),
        Action::Regenerate => ("Regenerate", 0),
        Action::Destroy => ("Destroy", 0),
    };
    format!("/{word}/{number}/{status}")
}

async fn run(steps: &[Step]) -> Result<(), TestCaseError> {
    let clock = ManualClock::new();
    let store = MemoryStore::new().clock(clock.clone());
    let sessions =
        SessionConfig::builder().secret(secret()).store(store).clock(clock.clone()).touch_throttle(0).build();
    let service = sessions.service(act);
    let mut browsers: [Browser; 3] = Default::default();
    let mut model = Model::default();
    for step in steps {
        match *step {
            Step::Wait(seconds) => {
                clock.advance(Duration::from_secs(seconds));
                model.now += seconds;
            }
            Step::Request { browser, action, .. }
                if model.is_superseded(browser) && matches!(action, Action::SignOut | Action::Destroy) => {}
            Step::Request { browser, action, status, delivered } => {
                let expected = model.request(browser, action, status, delivered);
                let answer = browsers[browser].get_and_lose(&service, &path(action, status)).await;
                if delivered {
                    browsers[browser].keep(&answer);
                }
                prop_assert_eq!(answer.text, expected, "{:?}", step);
                prop_assert_eq!(
                    browsers[browser].cookie_names().count() == 0,
                    !model.jars.contains_key(&browser),
                    "{:?}",
                    step
                );
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_history_of_requests_agrees_with_the_model(steps in prop::collection::vec(step(), 1..60)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(&steps))?;
    }
}
