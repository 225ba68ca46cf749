//! Plays a history: starts the visits of a round, opens gates until nothing waits, and checks the browsers' cookies.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http::header::{COOKIE, SET_COOKIE};
use http_body_util::BodyExt as _;
use http_session::clock::ManualClock;
use http_session::middleware::SessionBody;
use http_session::record::Record;
use http_session::store::AnyStore;
use http_session::{MemoryStore, SessionConfig};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tower::{Layer as _, ServiceExt as _};

use super::behind::Behind;
use super::course::{Course, ParsedToken, Seen};
use super::dice::Dice;
use super::handler::{Job, handle};
use super::plan::{CLIENTS, End, Fate, Plan, Round, Setting, Step, Visit};
use super::store::Gated;
use super::truth::{numbers, user};
use super::world::World;
use crate::support::{Oops, Request, secret};

/// The user who signs in with every browser at the end of a history.
const FINAL_USER: u8 = 9;

/// The broken rules, and the trace that led to them.
pub struct Failure(Vec<String>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

/// Shared by many histories, because building it takes longer than playing a history.
pub struct Bench {
    runtime: Runtime,
    /// The clock that the plans' pauses advance. `None` for a store with its own clock: the pauses are left out.
    clock: Option<ManualClock>,
    world: Arc<World>,
    settings: Vec<(Setting, Gated, SessionConfig<Gated>)>,
    /// Runs the calls of a store that does not live in the histories' runtime.
    _elsewhere: Option<Runtime>,
}

impl Bench {
    /// A bench on a memory store with a manual clock.
    pub fn new() -> Self {
        let clock = ManualClock::new();
        Self::of(&Behind::Memory(MemoryStore::new().clock(clock.clone())), Some(clock), None)
    }

    /// A bench on any store, in real time.
    pub fn on(connect: impl Future<Output = AnyStore>) -> Self {
        let elsewhere = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = elsewhere.block_on(connect);
        Self::of(&Behind::Elsewhere(store, elsewhere.handle().clone()), None, Some(elsewhere))
    }

    fn of(inner: &Behind, clock: Option<ManualClock>, elsewhere: Option<Runtime>) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let world = Arc::new(World::default());
        // Without pauses a verifier would never be old enough, so it is due for renewal at once.
        let period = if clock.is_some() { Duration::from_secs(30) } else { Duration::ZERO };
        let settings = [Setting::Waiting, Setting::Instant, Setting::Renewing].map(|setting| {
            let store = Gated {
                inner: inner.clone(),
                world: Arc::clone(&world),
                // On a store that waits, `Instant` is the same as `Waiting`.
                is_instant: setting == Setting::Instant && inner.is_instant(),
            };
            let builder = SessionConfig::builder().secret(secret()).store(store.clone());
            let builder = match clock.clone() {
                Some(clock) => builder.clock(clock),
                None => builder,
            };
            let sessions = match setting {
                Setting::Renewing => builder.renew_after(period).build(),
                Setting::Waiting | Setting::Instant => builder.touch_throttle(0).build(),
            };
            (setting, store, sessions)
        });
        Self { runtime, clock, world, settings: settings.into(), _elsewhere: elsewhere }
    }

    pub fn visits(&self, seed: u64) -> usize {
        Plan::of(&mut Dice::new(seed)).len()
    }

    pub fn trace(&self, seed: u64, mask: u64) -> Vec<String> {
        let _ = self.play(seed, mask, Some(Vec::new()));
        self.world.lock().trace.take().unwrap_or_default()
    }

    /// Plays a history with the visits in the mask.
    pub fn run(&self, seed: u64, mask: u64) -> Result<(), Failure> {
        self.play(seed, mask, None)
    }

    fn play(&self, seed: u64, mask: u64, trace: Option<Vec<String>>) -> Result<(), Failure> {
        let mut dice = Dice::new(seed);
        let plan = Plan::of(&mut dice).only(mask);
        self.world.begin(dice, trace);
        let (_, store, sessions) = self.settings.iter().find(|(setting, ..)| *setting == plan.setting).unwrap();
        let mut play = Play { bench: self, store, sessions, setting: plan.setting, jars: Default::default(), first: 0 };
        self.world.note(|| format!("{:?}", plan.setting));
        self.runtime.block_on(async {
            for round in &plan.rounds {
                play.round(round).await?;
            }
            play.nobody_is_locked_out().await
        })
    }
}

struct Play<'b> {
    bench: &'b Bench,
    store: &'b Gated,
    sessions: &'b SessionConfig<Gated>,
    setting: Setting,
    jars: [Option<String>; CLIENTS],
    /// The number of the round's first visit.
    first: usize,
}

/// Notes the end of a task that is dropped or panics.
struct Ends(Arc<World>, usize);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.lock().truth.gone(self.1);
    }
}

/// A response on its way to the browser.
type Arrived = Option<(usize, String)>;

impl Play<'_> {
    async fn round(&mut self, round: &Round) -> Result<(), Failure> {
        let world = &self.bench.world;
        if let Some(clock) = &self.bench.clock {
            clock.advance(Duration::from_secs(round.pause));
        }
        world.note(|| format!("-- after {} s, faulty: {}", round.pause, round.is_faulty));
        world.lock().is_faulty = round.is_faulty;
        let before: [_; CLIENTS] = std::array::from_fn(|client| self.found(client));
        self.play(&round.visits).await?;
        for (client, before) in before.iter().enumerate() {
            self.check_client(client, before.as_ref());
        }
        self.check_records();
        self.first += round.visits.len();
        self.verdict()
    }

    fn verdict(&self) -> Result<(), Failure> {
        let violations = std::mem::take(&mut self.bench.world.lock().truth.violations);
        if violations.is_empty() { Ok(()) } else { Err(Failure(violations)) }
    }

    /// Starts visits, drops visits and opens gates, one at a time, until nothing is left to do.
    async fn play(&mut self, visits: &[Visit]) -> Result<(), Failure> {
        let world = &self.bench.world;
        let mut tasks: Vec<JoinHandle<Arrived>> = Vec::new();
        let mut idle = 0;
        loop {
            tokio::task::yield_now().await;
            let droppable: Vec<usize> =
                (0..tasks.len()).filter(|index| self.can_drop(*index, &visits[*index])).collect();
            let (starts, gates) = (usize::from(tasks.len() < visits.len()), world.waiting());
            // Requests are dropped rarely, so that most come far.
            let drops = usize::from(!droppable.is_empty() && (gates == 0 || world.lock().dice.one_in(8)));
            let choices = starts + gates + drops;
            if choices == 0 {
                // The remaining tasks wait between two tries after a conflict, for less than one advance.
                if idle > 0 && tasks.iter().all(JoinHandle::is_finished) {
                    break;
                }
                idle += 1;
                if idle > 1000 {
                    world.lock().truth.fail(self.first, "R18: hangs");
                    tasks.iter().for_each(JoinHandle::abort);
                    return self.verdict();
                }
                tokio::time::advance(Duration::from_millis(10)).await;
                continue;
            }
            idle = 0;
            let choice = world.lock().dice.below(choices);
            if choice < gates {
                world.open(choice);
            } else if choice < gates + starts {
                tasks.push(self.start(&visits[tasks.len()]));
            } else {
                let index = droppable[world.lock().dice.below(droppable.len())];
                world.enter(self.first + index);
                world.note(|| format!("{}: dropped", self.first + index));
                tasks[index].abort();
            }
            self.deliver(&mut tasks).await;
        }
        self.deliver(&mut tasks).await;
        Ok(())
    }

    /// Whether a visit's client may disconnect now. It may not between two tries after a conflict: the task that
    /// continues would not have reached a gate, so the model would not know which visit it belongs to.
    fn can_drop(&self, index: usize, visit: &Visit) -> bool {
        let number = self.first + index;
        let mut inner = self.bench.world.lock();
        let waits = inner.is_waiting(number);
        let course = inner.truth.course(number);
        visit.fate == Fate::Dropped && !course.has_ended() && (waits || course.hangs)
    }

    /// Puts the cookies of responses that have arrived into their jars.
    async fn deliver(&mut self, tasks: &mut [JoinHandle<Arrived>]) {
        tokio::task::yield_now().await;
        for (index, task) in tasks.iter_mut().enumerate() {
            let visit = self.first + index;
            let arrives = task.is_finished() && {
                let truth = &mut self.bench.world.lock().truth;
                let course = truth.course(visit);
                !course.is_delivered && course.visit.fate == Fate::Arrives
            };
            if !arrives {
                continue;
            }
            self.bench.world.lock().truth.course(visit).is_delivered = true;
            if let Ok(Some((client, cookie))) = task.await {
                self.jars[client] = (!cookie.is_empty()).then_some(cookie);
            }
        }
    }

    fn start(&self, visit: &Visit) -> JoinHandle<Arrived> {
        let world = Arc::clone(&self.bench.world);
        let number = {
            let truth = &mut world.lock().truth;
            let cookie = match visit.repeats {
                Some(of) => truth.course(self.first + of).cookie.clone(),
                None => self.jars[visit.client].clone(),
            };
            let started = truth.now;
            truth.courses.push(Course::new(visit.clone(), cookie, started));
            truth.courses.len() - 1
        };
        world.enter(number);
        world.note(|| format!("{number}: {visit:?}"));
        let cookie = world.lock().truth.course(number).cookie.clone();
        let answer = self.ask(cookie.as_deref(), Job { world: Arc::clone(&world), visit: number });
        let (client, fate) = (visit.client, visit.fate);
        tokio::spawn(async move {
            let ends = Ends(Arc::clone(&world), number);
            let response = answer.await.ok()?;
            let cookie = read(&world, number, response).await;
            drop(ends);
            if fate != Fate::Arrives {
                return None;
            }
            world.gate("arrives").await;
            Some((client, cookie?))
        })
    }

    fn ask(
        &self,
        cookie: Option<&str>,
        job: Job,
    ) -> impl Future<Output = Result<Response<SessionBody<String>>, Oops>> + use<> {
        let mut request: Request = http::Request::builder().uri("/").body(String::new()).unwrap();
        if let Some(cookie) = cookie {
            request.headers_mut().insert(COOKIE, format!("__Host-sid={cookie}").parse().unwrap());
        }
        request.extensions_mut().insert(job);
        self.sessions.layer().layer(tower::service_fn(handle)).oneshot(request)
    }

    /// Returns the session that a browser's cookie finds.
    fn found(&self, client: usize) -> Option<Record> {
        let token = self.jars[client].as_deref().map(ParsedToken::of)?;
        self.store.peek(&token.id).filter(|record| record.verifier == token.hash || record.previous == Some(token.hash))
    }

    /// Checks that no order of responses signs a user out who did not ask for it, or leaves a user signed in who asked
    /// to be signed out.
    fn check_client(&self, client: usize, before: Option<&Record>) {
        let after = self.found(client);
        let mut inner = self.bench.world.lock();
        let truth = &mut inner.truth;
        let numbers: Vec<usize> =
            (self.first..truth.courses.len()).filter(|number| truth.courses[*number].visit.client == client).collect();
        let Some(first) = numbers.first().copied() else { return };
        let courses: Vec<Course> = numbers.iter().map(|number| truth.courses[*number].clone()).collect();
        let (was, is) = (before.and_then(user), after.as_ref().and_then(user));
        let users: Vec<u8> = courses.iter().flat_map(|course| course.users.iter().copied()).collect();
        let leaves = courses.iter().any(Course::lowers);
        let known = is.is_none_or(|user| was == Some(user) || users.contains(&user));
        truth.check(first, known, "R5: a browser is signed in as a user that it never signed in");
        // R10, R11: after a lost answer or a lost response, the browser may have an old cookie.
        let troubled = courses.iter().any(Course::is_troubled);
        // R7: the server cannot control the order in which cookies arrive. A cookie that was on its way during a
        // sign-in may overwrite the new cookie: the cookie of a first visit, of a rotation of the anonymous session, or
        // of a renewal.
        let overtaken = courses.iter().any(|course| course.brought_anonymous(truth))
            || (self.setting == Setting::Renewing
                && courses.iter().filter(|course| course.rotated.is_some()).count() > 1);
        let signs_in = courses.iter().any(Course::has_signed_in);
        if (was.is_some() || signs_in) && !leaves && !troubled && !overtaken {
            truth.check(first, is.is_some(), "R11: a browser was signed out that did not ask for it");
        }
        for course in courses.iter().filter(|course| users.is_empty() && course.must_have_left()) {
            let token = course.token.clone();
            // R6: a superseded cookie ends the session only if the identity is still the identity of its epoch.
            let left = token.is_none_or(|token| {
                let record = truth.known(&token.id).record.as_ref();
                record.is_none_or(|record| record.identity.is_none() || record.identity_epoch > token.epoch)
            });
            truth.check(first, left, "R11: a browser asked to be signed out, but its session is still signed in");
            let own = matches!(course.seen, Seen::Found(_));
            truth.check(first, !own || is.is_none(), "R11: a browser asked to be signed out, but is signed in");
        }
    }

    /// Checks that each entry is in only one session, except a visitor's entries that a sign-in takes along.
    fn check_records(&self) {
        let truth = &mut self.bench.world.lock().truth;
        let entries = truth.live_records().flat_map(|record| numbers(record, "log")).collect::<Vec<u32>>();
        let mut entries: Vec<u32> = entries.into_iter().filter(|mark| truth.mark(*mark).user.is_some()).collect();
        let count = entries.len();
        entries.sort_unstable();
        entries.dedup();
        truth.check(self.first, entries.len() == count, "R9: an entry is in two sessions");
    }

    /// Checks that in the end every browser can sign in.
    async fn nobody_is_locked_out(&mut self) -> Result<(), Failure> {
        let world = &self.bench.world;
        world.lock().is_free = true;
        world.lock().is_faulty = false;
        for client in 0..CLIENTS {
            for steps in [vec![Step::SignIn(FINAL_USER)], vec![Step::Read]] {
                let visit = Visit { client, steps, end: End::Status(200), fate: Fate::Arrives, repeats: None };
                let arrived = self.start(&visit).await.expect("no panic");
                if let Some((_, cookie)) = arrived {
                    self.jars[client] = (!cookie.is_empty()).then_some(cookie);
                }
                let inside = self.found(client).as_ref().and_then(user) == Some(FINAL_USER);
                let visit = world.lock().truth.courses.len() - 1;
                world.lock().truth.check(visit, inside, "R6: a browser is locked out");
            }
        }
        self.verdict()
    }
}

fn set_cookie<B>(response: &Response<B>) -> Option<String> {
    let line = response.headers().get(SET_COOKIE)?.to_str().expect("ascii");
    let value = line.split_once('=').expect("a cookie").1.split(';').next().unwrap_or_default();
    Some(value.to_owned())
}

/// Checks the response and returns its cookie.
async fn read(world: &World, visit: usize, response: Response<SessionBody<String>>) -> Option<String> {
    let cookie = set_cookie(&response);
    let cookies = response.headers().get_all(SET_COOKIE).iter().count();
    let status = response.status();
    let text = response.into_body().collect().await.expect("a body").to_bytes();
    let mut inner = world.lock();
    let line = cookie.as_ref().map(|value| {
        if value.is_empty() {
            "removal".to_owned()
        } else {
            let place = inner.truth.place(&ParsedToken::of(value).id);
            format!("cookie of record {place} in epoch {}", ParsedToken::of(value).epoch.0)
        }
    });
    inner.note(|| format!("    {visit} answers {status} {}", line.unwrap_or_default()));
    inner.truth.check(visit, cookies <= 1, "R12: more than one cookie");
    inner.truth.answered(visit, status, std::str::from_utf8(&text).expect("text"), cookie.as_deref());
    cookie
}
