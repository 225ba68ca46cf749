//! Sentinels: which server is the primary now.

use std::sync::{Arc, Mutex, PoisonError};

use ::redis::{ErrorKind, RedisError, RedisResult};
use tokio::time::Instant;

use super::renewed::{Held, Renewed};
use super::server::{Address, Failure, Server, Template, Wait};

pub(super) struct Sentinel {
    template: Template,
    sentinels: Vec<Template>,
    service: String,
    primary: Renewed<Arc<Server>>,
    /// The one before: if it is still the primary, its connections are too.
    last: Mutex<Option<Arc<Server>>>,
}

impl Sentinel {
    pub(super) fn new(template: Template, sentinels: Vec<Template>, service: String) -> Self {
        Self { template, sentinels, service, primary: Renewed::default(), last: Mutex::default() }
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

    async fn find(&self) -> RedisResult<Arc<Server>> {
        let mut problem = (ErrorKind::EmptySentinelList, "no sentinel was named").into();
        for sentinel in &self.sentinels {
            match self.ask(sentinel).await {
                Ok(address) => return self.server(&address),
                Err(error) => problem = error,
            }
        }
        Err(problem)
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

    async fn ask(&self, sentinel: &Template) -> RedisResult<Address> {
        let mut question = ::redis::Pipeline::with_capacity(1);
        question.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&self.service);
        let answer = sentinel.server()?.ask(&question, Instant::now() + sentinel.patience, Wait::ToTheEnd).await;
        let mut replies = match answer {
            Ok(replies) => replies,
            Err(Failure::Unreached(error) | Failure::Lost(error)) => return Err(error),
        };
        let unknown = || RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "no such service"));
        let reply = replies.pop().ok_or_else(unknown)?.extract_error()?;
        let address: Option<(String, u16)> = ::redis::from_redis_value(reply)?;
        let (host, port) = address.ok_or_else(unknown)?;
        Ok(Address { host, port })
    }
}
