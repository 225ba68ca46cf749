//! Sentinels: which server is the primary now.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::{ErrorKind, Pipeline, RedisError, RedisResult};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::refusal::is_worse;
use super::renewed::{Held, Renewed};
use super::server::{Address, Failure, Server, Template, Wait};

/// How often the sentinels are asked beside the calls.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

pub(super) struct Sentinel {
    template: Template,
    sentinels: Vec<Arc<Server>>,
    /// How the sentinels are asked for the primary.
    question: Arc<Pipeline>,
    primary: Renewed<Arc<Server>>,
    /// The one before: if it is still the primary, its connections are too.
    last: Mutex<Option<Arc<Server>>>,
    looked: Mutex<Instant>,
}

impl Sentinel {
    pub(super) fn new(template: Template, sentinels: Vec<Server>, service: &str) -> Self {
        let mut question = Pipeline::with_capacity(1);
        question.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(service);
        Self {
            template,
            sentinels: sentinels.into_iter().map(Arc::new).collect(),
            question: Arc::new(question),
            primary: Renewed::default(),
            last: Mutex::default(),
            looked: Mutex::new(Instant::now()),
        }
    }

    pub(super) async fn primary(&self) -> RedisResult<Held<Arc<Server>>> {
        self.primary.current(|| self.find()).await
    }

    /// The same, where nobody has to be asked.
    pub(super) fn known(&self) -> Option<Held<Arc<Server>>> {
        self.primary.known()
    }

    /// The same, asked for anew. One that is still the primary keeps its connections.
    pub(super) async fn primary_now(&self) -> RedisResult<Held<Arc<Server>>> {
        self.primary.anew(|| self.find()).await
    }

    /// Asks the sentinels before the next call.
    pub(super) fn give_up(&self, primary: &Held<Arc<Server>>) {
        self.primary.give_up(primary);
    }

    /// A primary that was replaced while it was cut off from the sentinels may go on to answer: whether it is still the one is
    /// asked every few seconds, while the calls go on with what is known.
    pub(super) fn look_again(self: &Arc<Self>) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.elapsed() < LOOK_AGAIN {
            return;
        }
        *looked = Instant::now();
        drop(looked);
        let sentinel = Arc::clone(self);
        tokio::spawn(async move {
            let Some(known) = sentinel.known() else { return };
            if let Some(address) = sentinel.named_by_most().await
                && known.address.as_ref() != Some(&address)
                && let Ok(server) = sentinel.server(&address)
            {
                sentinel.primary.replace(&known, server);
            }
        });
    }

    /// The primary that more than half of the sentinels name: one that is cut off with an old primary may still name that.
    async fn named_by_most(&self) -> Option<Address> {
        let (mut asked, mut named) = (self.ask_all(), Vec::new());
        while let Some(answer) = asked.join_next().await {
            named.extend(answer.ok().and_then(Result::ok));
        }
        let votes = |address: &Address| named.iter().filter(|other| *other == address).count();
        named.iter().find(|address| votes(address) * 2 > self.sentinels.len()).cloned()
    }

    /// All of them at once.
    fn ask_all(&self) -> JoinSet<RedisResult<Address>> {
        let mut asked = JoinSet::new();
        for sentinel in &self.sentinels {
            let (sentinel, question) = (Arc::clone(sentinel), Arc::clone(&self.question));
            let deadline = Instant::now() + self.template.patience;
            asked.spawn(async move { ask(&sentinel, &question, deadline).await });
        }
        asked
    }

    /// The first answer counts, so that those that are silent cost nothing.
    async fn find(&self) -> RedisResult<Arc<Server>> {
        let mut asked = self.ask_all();
        let mut problem = None;
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok(Ok(address)) => return self.server(&address),
                Ok(Err(error)) if problem.as_ref().is_none_or(|known| is_worse(known, &error)) => problem = Some(error),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        Err(problem.unwrap_or_else(|| (ErrorKind::EmptySentinelList, "no sentinel was named").into()))
    }

    fn server(&self, address: &Address) -> RedisResult<Arc<Server>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = last.as_ref().filter(|server| server.address.as_ref() == Some(address)) {
            return Ok(Arc::clone(server));
        }
        let server = Arc::new(self.template.at(address).server()?);
        *last = Some(Arc::clone(&server));
        Ok(server)
    }
}

async fn ask(sentinel: &Server, question: &Pipeline, deadline: Instant) -> RedisResult<Address> {
    let mut replies = match sentinel.ask(question, deadline, Wait::ToTheEnd).await {
        Ok(replies) => replies,
        Err(Failure::Unreached(error) | Failure::Lost(error)) => return Err(error),
    };
    let unknown = || RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "no such service"));
    let reply = replies.pop().ok_or_else(unknown)?.extract_error()?;
    let address: Option<(String, u16)> = ::redis::from_redis_value(reply)?;
    let (host, port) = address.ok_or_else(unknown)?;
    Ok(Address { host, port })
}
