//! Sentinels, which name the primary.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::{ErrorKind, Pipeline, RedisError, RedisResult, from_redis_value};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::address::Address;
use super::explain::more_telling;
use super::layout::{Layout, Servers};
use super::server::{Effect, NoAnswer, Server, ServerOptions};

/// How often the sentinels are asked again while calls succeed.
const RECHECK_INTERVAL: Duration = Duration::from_secs(5);

pub(crate) struct Sentinels {
    servers: Servers,
    sentinels: Vec<Arc<Server>>,
    question: Arc<Pipeline>,
    patience: Duration,
    rechecked: Mutex<Instant>,
}

impl Sentinels {
    pub(crate) fn new(options: ServerOptions, sentinels: Vec<Server>, service: &str) -> Self {
        let mut question = Pipeline::with_capacity(1);
        question.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(service);
        let patience = options.patience;
        Self {
            servers: Servers::new(options),
            sentinels: sentinels.into_iter().map(Arc::new).collect(),
            question: Arc::new(question),
            patience,
            rechecked: Mutex::new(Instant::now()),
        }
    }

    /// Asks all sentinels at once. The first answer counts, so a silent sentinel costs no time.
    pub(super) async fn read_layout(&self) -> RedisResult<Layout> {
        let mut asked = self.ask_all();
        let mut problem = None;
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok(Ok(address)) => return self.servers.layout_of_one(address),
                Ok(Err(error)) => problem = Some(more_telling(problem, error)),
                Err(_) => {}
            }
        }
        Err(problem.unwrap_or_else(|| (ErrorKind::EmptySentinelList, "no sentinel is named").into()))
    }

    /// Whether it is time to ask again. Answers yes once in each interval.
    pub(super) fn is_recheck_due(&self) -> bool {
        let mut rechecked = self.rechecked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = rechecked.elapsed() >= RECHECK_INTERVAL;
        if is_due {
            *rechecked = Instant::now();
        }
        is_due
    }

    /// The layout, if more than half of the sentinels name another primary than this layout has. A majority is needed because
    /// a sentinel that is cut off together with an old primary still names that primary.
    pub(super) async fn newer_layout(&self, known: &Layout) -> Option<Layout> {
        let (mut asked, mut named) = (self.ask_all(), Vec::new());
        while let Some(answer) = asked.join_next().await {
            named.extend(answer.ok().and_then(Result::ok));
        }
        let votes = |address: &Address| named.iter().filter(|other| *other == address).count();
        let address = named.iter().find(|address| votes(address) * 2 > self.sentinels.len())?;
        let is_known = known.primaries.iter().any(|primary| primary.address.as_ref() == Some(address));
        (!is_known).then(|| self.servers.layout_of_one(address.clone()).ok())?
    }

    fn ask_all(&self) -> JoinSet<RedisResult<Address>> {
        let mut asked = JoinSet::new();
        for sentinel in &self.sentinels {
            let (sentinel, question) = (Arc::clone(sentinel), Arc::clone(&self.question));
            let deadline = Instant::now() + self.patience;
            asked.spawn(async move { ask(&sentinel, &question, deadline).await });
        }
        asked
    }
}

async fn ask(sentinel: &Server, question: &Pipeline, deadline: Instant) -> RedisResult<Address> {
    let unknown = || RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "the service is unknown"));
    let replies = sentinel.ask(question, Effect::Read, deadline).await;
    let reply = replies.map_err(NoAnswer::into_error)?.pop().ok_or_else(unknown)?.extract_error()?;
    let address: Option<(String, u16)> = from_redis_value(reply)?;
    let (host, port) = address.ok_or_else(unknown)?;
    Ok(Address { host, port })
}
