//! One way to ask, whatever stands behind: a server, a cluster, or a primary that sentinels name.
//!
//! A call is one round trip. What a server refuses definitely (it is loading, has not the script, is no longer the one) is
//! followed, at the right server or a moment later, until the time limit. An answer that is lost is lost: a write is not sent
//! again, neither here nor by the driver (R10).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::ConnectionManager;
use ::redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value};
use rand::RngExt as _;
use tokio::time::{Instant, sleep, timeout_at};

use super::cluster::{Cluster, Slots, slot};
use super::refusal::{Refusal, is_mistake};
use super::renewed::Held;
use super::script::Script;
use super::sentinel::Sentinel;
use super::server::{Address, Failure, Replies, Server, Wait, late, problem};
use super::unexpected;
use http_session_store::error::{StoreError, StoreErrorKind};

/// Asked in one round trip.
pub(super) struct Call<'a> {
    /// All commands are about this key, or about none.
    key: &'a [u8],
    commands: Pipeline,
    effect: Effect<'a>,
}

impl<'a> Call<'a> {
    pub(super) fn new(key: &'a [u8], commands: impl IntoIterator<Item = Cmd>, effect: Effect<'a>) -> Self {
        let commands = commands.into_iter();
        let mut pipeline = Pipeline::with_capacity(commands.size_hint().0);
        for command in commands {
            pipeline.add_command(command);
        }
        Self { key, commands: pipeline, effect }
    }
}

impl Effect<'_> {
    const fn wait(self) -> Wait {
        match self {
            Self::Read => Wait::AWhile,
            Self::Run(_) => Wait::ToTheEnd,
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Effect<'a> {
    /// May be asked again when its answer is lost.
    Read,
    /// Never: it writes. A script, which may not be on the server yet.
    Run(&'a Script),
}

pub(super) struct Connection {
    route: Route,
    limit: Duration,
}

enum Route {
    Single(Arc<Server>),
    Cluster(Box<Cluster>),
    Sentinel(Arc<Sentinel>),
}

/// A server, and why it is the one.
struct Way {
    server: Arc<Server>,
    because: Because,
}

enum Because {
    ThereIsNoOther,
    Slots(Held<Arc<Slots>>),
    Sentinels(Held<Arc<Server>>),
    /// Another server said so.
    Redirected,
}

/// All servers with sessions.
pub(super) struct Primaries {
    pub(super) servers: Vec<Arc<Server>>,
    /// Another number when other servers have other sessions.
    pub(super) shape: u64,
}

/// What one attempt leaves to the next.
struct Attempt {
    deadline: Instant,
    pauses: u32,
    redirect: Option<Arc<Server>>,
    asking: bool,
    load_script: bool,
    /// Why the one before failed: it says more than that there was no time for this one.
    problem: Option<RedisError>,
}

impl Attempt {
    const fn until(deadline: Instant) -> Self {
        Self { deadline, pauses: 0, redirect: None, asking: false, load_script: false, problem: None }
    }

    /// What is sent, and which of the answers are those to the call's commands: the first, and each so many on.
    fn pipeline<'a>(&self, call: &'a Call<'_>) -> (Cow<'a, Pipeline>, usize, usize) {
        let script = match call.effect {
            Effect::Run(script) if self.load_script => Some(script),
            _ => None,
        };
        if !self.asking && script.is_none() {
            return (Cow::Borrowed(&call.commands), 0, 1);
        }
        let mut pipeline = Pipeline::new();
        if let Some(script) = script {
            pipeline.add_command(script.load());
        }
        for command in call.commands.cmd_iter() {
            if self.asking {
                pipeline.cmd("ASKING");
            }
            pipeline.add_command(command.clone());
        }
        let asking = usize::from(self.asking);
        (Cow::Owned(pipeline), usize::from(script.is_some()) + asking, 1 + asking)
    }

    /// Waits a moment; the error where there is no time left for another attempt, or none would help.
    async fn pause(&mut self, error: RedisError) -> Result<(), StoreError> {
        let error = match self.problem.take() {
            Some(problem) if error.is_timeout() => problem,
            _ => error,
        };
        if is_mistake(&error) {
            return Err(StoreError::new(StoreErrorKind::Refused).with_source(error));
        }
        const LONGEST: u64 = 250;
        let most = LONGEST.min(10 << self.pauses.min(5));
        let pause = Duration::from_millis(rand::rng().random_range(most / 2..=most));
        self.pauses += 1;
        if Instant::now() + pause >= self.deadline {
            return Err(StoreError::new(StoreErrorKind::Unavailable).with_source(error));
        }
        self.problem = Some(error);
        sleep(pause).await;
        Ok(())
    }
}

impl Connection {
    pub(super) fn single(server: Server, limit: Duration) -> Self {
        Self { route: Route::Single(Arc::new(server)), limit }
    }

    pub(super) fn given(manager: ConnectionManager, limit: Duration) -> Self {
        Self::single(Server::given(manager, limit / 3), limit)
    }

    pub(super) fn cluster(cluster: Cluster, limit: Duration) -> Self {
        Self { route: Route::Cluster(Box::new(cluster)), limit }
    }

    pub(super) fn sentinel(sentinel: Sentinel, limit: Duration) -> Self {
        Self { route: Route::Sentinel(Arc::new(sentinel)), limit }
    }

    /// When a call that begins now has to be over.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.limit
    }

    /// The answer to the one command of a call.
    pub(super) async fn ask_one(&self, call: &Call<'_>, deadline: Instant) -> Result<Value, StoreError> {
        let mut values = self.ask(call, deadline).await?;
        values.pop().ok_or_else(unexpected)
    }

    /// What each command of a call was answered, without another attempt: of each that is not answered or is refused, nothing
    /// has happened.
    pub(super) async fn try_once(
        &self,
        call: &Call<'_>,
        deadline: Instant,
    ) -> Result<Vec<RedisResult<Value>>, StoreError> {
        let mut attempt = Attempt::until(deadline);
        let Ok(way) = self.way(call.key, &mut attempt).await else { return Ok(Vec::new()) };
        match way.server.ask(&call.commands, deadline, Wait::ToTheEnd).await {
            Ok(replies) => {
                let is_elsewhere =
                    |error: &RedisError| matches!(Refusal::of(error), Refusal::Moved | Refusal::Elsewhere);
                if replies.iter().filter_map(problem).any(|error| is_elsewhere(&error)) {
                    self.give_up(&way);
                }
                Ok(replies.into_iter().map(Value::extract_error).collect())
            }
            Err(Failure::Unreached(_)) => {
                self.give_up(&way);
                Ok(Vec::new())
            }
            Err(Failure::Lost(error)) => {
                self.give_up(&way);
                Err(StoreError::new(StoreErrorKind::Unknown).with_source(error))
            }
        }
    }

    /// The answers to a call's commands.
    pub(super) async fn ask(&self, call: &Call<'_>, deadline: Instant) -> Result<Vec<Value>, StoreError> {
        let mut attempt = Attempt::until(deadline);
        loop {
            let way = match self.way(call.key, &mut attempt).await {
                Ok(way) => way,
                Err(error) => {
                    attempt.pause(error).await?;
                    continue;
                }
            };
            let (pipeline, first, step) = attempt.pipeline(call);
            match way.server.ask(&pipeline, attempt.deadline, call.effect.wait()).await {
                Ok(replies) => match replies.iter().skip(first).step_by(step).find_map(problem) {
                    None if (first, step) == (0, 1) => return Ok(replies),
                    None => return Ok(replies.into_iter().skip(first).step_by(step).collect()),
                    Some(error) => self.refused(&way, &mut attempt, error).await?,
                },
                Err(Failure::Lost(error)) if !matches!(call.effect, Effect::Read) => {
                    self.give_up(&way);
                    return Err(StoreError::new(StoreErrorKind::Unknown).with_source(error));
                }
                Err(Failure::Unreached(error) | Failure::Lost(error)) => {
                    self.give_up(&way);
                    attempt.pause(error).await?;
                }
            }
        }
    }

    /// Nothing has happened: prepares the next attempt, if there is to be one.
    async fn refused(&self, way: &Way, attempt: &mut Attempt, error: RedisError) -> Result<(), StoreError> {
        match Refusal::of(&error) {
            Refusal::NoScript if !attempt.load_script => {
                attempt.load_script = true;
                attempt.redirect = Some(Arc::clone(&way.server));
                Ok(())
            }
            Refusal::Moved => {
                self.give_up(way);
                self.redirect(way, attempt, error).await
            }
            Refusal::Ask => {
                attempt.asking = true;
                self.redirect(way, attempt, error).await
            }
            Refusal::Elsewhere => {
                self.give_up(way);
                attempt.pause(error).await
            }
            Refusal::Later => attempt.pause(error).await,
            Refusal::NoScript => Err(StoreError::new(StoreErrorKind::Refused).with_source(error)),
            Refusal::Final(kind) => Err(StoreError::new(kind).with_source(error)),
        }
    }

    async fn redirect(&self, way: &Way, attempt: &mut Attempt, error: RedisError) -> Result<(), StoreError> {
        let named = error.redirect_node();
        let address = named.and_then(|(node, _)| Address::named(node, way.server.address.as_ref()));
        let (Route::Cluster(cluster), Some(address)) = (&self.route, address) else {
            return Err(StoreError::new(StoreErrorKind::Refused).with_source(error));
        };
        attempt.redirect = cluster.server(&address).ok();
        // Two servers may each say that it is the other.
        if matches!(way.because, Because::Redirected) { attempt.pause(error).await } else { Ok(()) }
    }

    /// The server for a key.
    async fn way(&self, key: &[u8], attempt: &mut Attempt) -> RedisResult<Way> {
        if let Some(server) = attempt.redirect.take() {
            return Ok(Way { server, because: Because::Redirected });
        }
        attempt.asking = false;
        if let Some(way) = self.known_way(key) {
            return Ok(way);
        }
        let found = timeout_at(attempt.deadline, async {
            match &self.route {
                Route::Single(server) => Ok(Way { server: Arc::clone(server), because: Because::ThereIsNoOther }),
                Route::Cluster(cluster) => {
                    let slots = cluster.slots().await?;
                    let Some(server) = slots.server(slot(key)).map(Arc::clone) else {
                        cluster.give_up(&slots);
                        return Err((ErrorKind::ClusterConnectionNotFound, "no server has the slot").into());
                    };
                    Ok(Way { server, because: Because::Slots(slots) })
                }
                Route::Sentinel(sentinel) => {
                    let primary = sentinel.primary().await?;
                    Ok(Way { server: Arc::clone(&primary), because: Because::Sentinels(primary) })
                }
            }
        });
        found.await.unwrap_or_else(|_| Err(late()))
    }

    /// Where nobody has to be asked.
    fn known_way(&self, key: &[u8]) -> Option<Way> {
        match &self.route {
            Route::Single(server) => Some(Way { server: Arc::clone(server), because: Because::ThereIsNoOther }),
            Route::Cluster(cluster) => {
                let slots = cluster.known()?;
                let server = slots.server(slot(key)).map(Arc::clone)?;
                Some(Way { server, because: Because::Slots(slots) })
            }
            Route::Sentinel(sentinel) => {
                let primary = sentinel.known()?;
                sentinel.look_again();
                Some(Way { server: Arc::clone(&primary), because: Because::Sentinels(primary) })
            }
        }
    }

    /// The server was not the right one, or is none any more: the next attempt asks who is.
    fn give_up(&self, way: &Way) {
        match (&self.route, &way.because) {
            (Route::Cluster(cluster), Because::Slots(slots)) => cluster.give_up(slots),
            (Route::Sentinel(sentinel), Because::Sentinels(primary)) => sentinel.give_up(primary),
            _ => {}
        }
    }

    /// What is known may be old: nobody is told that slots have moved, or that there is another primary, until he asks for a
    /// key there. So it is asked for anew.
    pub(super) async fn primaries(&self, deadline: Instant) -> Result<Primaries, StoreError> {
        let mut attempt = Attempt::until(deadline);
        loop {
            let found = timeout_at(attempt.deadline, async {
                match &self.route {
                    Route::Single(server) => Ok(Primaries { servers: vec![Arc::clone(server)], shape: 0 }),
                    Route::Sentinel(sentinel) => {
                        Ok(Primaries { servers: vec![Arc::clone(&*sentinel.primary_now().await?)], shape: 0 })
                    }
                    Route::Cluster(cluster) => {
                        let slots = cluster.slots_now().await?;
                        Ok(Primaries { servers: slots.primaries.clone(), shape: slots.shape })
                    }
                }
            });
            match found.await {
                Ok(Ok(primaries)) => return Ok(primaries),
                Ok(Err(error)) => attempt.pause(error).await?,
                Err(_) => {
                    let problem = attempt.problem.unwrap_or_else(late);
                    return Err(StoreError::new(StoreErrorKind::Unavailable).with_source(problem));
                }
            }
        }
    }

    /// Asks one server, whatever keys it has. Only reads.
    pub(super) async fn ask_server(
        &self,
        server: &Server,
        pipeline: &Pipeline,
        deadline: Instant,
    ) -> Result<Replies, StoreError> {
        let mut attempt = Attempt::until(deadline);
        loop {
            match server.ask(pipeline, attempt.deadline, Wait::AWhile).await {
                Ok(replies) => {
                    // Also where it has no primary, or its cluster no majority: a read may be answered a moment later.
                    let is_passing =
                        |error: &RedisError| matches!(Refusal::of(error), Refusal::Later | Refusal::Elsewhere);
                    match replies.iter().filter_map(problem).find(is_passing) {
                        None => return Ok(replies),
                        Some(error) => attempt.pause(error).await?,
                    }
                }
                Err(Failure::Unreached(error) | Failure::Lost(error)) => attempt.pause(error).await?,
            }
        }
    }
}
