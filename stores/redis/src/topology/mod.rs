//! The servers: one server, a cluster, or a primary that sentinels name.
//!
//! A store call takes one round trip. If a server refuses it, nothing was executed, and the call goes to the right server, or
//! is sent again a moment later, until the time limit. If an answer is lost, a read is sent again, and a write never is (R10).
//!
//! Why not a ready-made cluster client? Two were tried against real servers:
//!
//! - `redis` 1.8.1 (`cluster-async`) counts redirections and lost answers as the same kind of retry. With `retries(3)` it sent a
//!   write again after the answer was lost. With `retries(0)` it follows neither `MOVED` nor `ASK`, it keeps a connection that
//!   hangs, and one silent server can stop the calls to all other slots. When one command of a pipeline is redirected, it drops
//!   the answers to the whole pipeline, although another command was executed.
//! - `fred` 10.1.0 with `max_command_attempts = 1` does not follow `MOVED`, because the redirected command counts as a second
//!   attempt. With more attempts and `fail_fast` it follows `MOVED`, but a write ran twice when its server became a replica. It
//!   did not follow `ASK` in any setting tried: it sends the command to the old server again. It reported `CLUSTERDOWN` for a
//!   write that was executed, because another command on the connection had failed.
//!
//! Both break R10. So this module follows the servers itself, and uses the driver only for single connections.
//!
//! From the bottom up: [`link`] is one connection, [`server`] the connections to one server, [`layout`] the servers and their
//! slots. [`cluster`] and [`sentinels`] read the layout. [`Topology`] finds the server of a key, and repeats attempts.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::ConnectionManager;
use ::redis::{ErrorKind, Pipeline, RedisError, RedisResult, Value};
use tokio::time::Instant;

use http_session_store::error::{StoreError, StoreErrorKind};

mod address;
mod batching;
mod cluster;
mod explain;
mod layout;
mod link;
mod refusal;
mod renewable;
mod reply;
mod sentinels;
mod server;
mod store_call;

use self::refusal::Refusal;
use self::renewable::{Renewable, Snapshot};
use self::reply::within;
use self::server::{Effect, NoAnswer};
use self::store_call::Attempts;

pub(crate) use self::address::Address;
pub(crate) use self::cluster::Cluster;
pub(crate) use self::explain::explained;
pub(crate) use self::layout::Layout;
pub(crate) use self::link::RequiredRole;
pub(crate) use self::reply::{error_of, unexpected};
pub(crate) use self::sentinels::Sentinels;
pub(crate) use self::server::{Server, ServerOptions};
pub(crate) use self::store_call::StoreCall;

pub(crate) struct Topology {
    source: Source,
    layout: Arc<Renewable<Arc<Layout>>>,
    time_limit: Duration,
}

/// Who says which servers there are.
enum Source {
    /// The URL. There is one server.
    Url(Arc<Server>),
    Cluster(Box<Cluster>),
    Sentinels(Arc<Sentinels>),
}

/// The server that an attempt asks.
struct Route {
    server: Arc<Server>,
    found_by: FoundBy,
}

enum FoundBy {
    Layout(Snapshot<Arc<Layout>>),
    /// Another server said so.
    Redirect,
}

impl Topology {
    pub(crate) fn single(server: Server, time_limit: Duration) -> Self {
        Self::new(Source::Url(Arc::new(server)), time_limit)
    }

    pub(crate) fn given(manager: ConnectionManager, time_limit: Duration) -> Self {
        Self::single(Server::given(manager, patience(time_limit)), time_limit)
    }

    pub(crate) fn cluster(cluster: Cluster, time_limit: Duration) -> Self {
        Self::new(Source::Cluster(Box::new(cluster)), time_limit)
    }

    pub(crate) fn sentinels(sentinels: Sentinels, time_limit: Duration) -> Self {
        Self::new(Source::Sentinels(Arc::new(sentinels)), time_limit)
    }

    fn new(source: Source, time_limit: Duration) -> Self {
        Self { source, layout: Arc::default(), time_limit }
    }

    /// When a call that begins now has to be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.time_limit
    }

    /// The replies to a call's commands, none of which is an error.
    pub(crate) async fn ask(&self, call: &StoreCall<'_>, deadline: Instant) -> Result<Vec<Value>, StoreError> {
        let mut attempts = Attempts::until(deadline);
        loop {
            match self.attempt(call, &mut attempts).await {
                Ok((route, replies)) => match replies.iter().find_map(error_of) {
                    None => return Ok(replies),
                    Some(error) => self.after_refusal(&route, &mut attempts, error).await?,
                },
                Err(NoAnswer::Lost(error)) if call.effect() == Effect::Write => return Err(unknown(error)),
                Err(NoAnswer::NotSent(error) | NoAnswer::Lost(error)) => attempts.pause(error).await?,
            }
        }
    }

    /// The reply to the only command of a call.
    pub(crate) async fn ask_one(&self, call: &StoreCall<'_>, deadline: Instant) -> Result<Value, StoreError> {
        self.ask(call, deadline).await?.pop().ok_or_else(unexpected)
    }

    /// The reply to each command of a call, in one attempt. A command without a reply, or with an error, was not executed.
    pub(crate) async fn ask_once(
        &self,
        call: &StoreCall<'_>,
        deadline: Instant,
    ) -> Result<Vec<RedisResult<Value>>, StoreError> {
        match self.attempt(call, &mut Attempts::until(deadline)).await {
            Ok((route, replies)) => {
                let is_outdated =
                    |error: RedisError| matches!(Refusal::of(&error), Refusal::Moved | Refusal::WrongServer);
                if replies.iter().filter_map(error_of).any(is_outdated) {
                    self.give_up(&route);
                }
                Ok(replies.into_iter().map(Value::extract_error).collect())
            }
            Err(NoAnswer::NotSent(_)) => Ok(Vec::new()),
            Err(NoAnswer::Lost(error)) => Err(unknown(error)),
        }
    }

    /// The current layout. It is read again, because without a call to a key that has moved, no server says that slots have
    /// moved, or that there is another primary.
    pub(crate) async fn primaries(&self, deadline: Instant) -> Result<Arc<Layout>, StoreError> {
        let mut attempts = Attempts::until(deadline);
        loop {
            match within(deadline, self.layout.make_again(|| self.read_layout())).await {
                Ok(layout) => return Ok(Arc::clone(&layout)),
                Err(error) => attempts.pause(error).await?,
            }
        }
    }

    /// Asks one server, whichever keys it has. Only for commands that may be sent again.
    pub(crate) async fn ask_server(
        &self,
        server: &Server,
        commands: &Pipeline,
        deadline: Instant,
    ) -> Result<Vec<Value>, StoreError> {
        // A server without a primary, or in a cluster without a majority, may answer a moment later too.
        let may_pass = |error: &RedisError| matches!(Refusal::of(error), Refusal::Busy | Refusal::WrongServer);
        let mut attempts = Attempts::until(deadline);
        loop {
            let error = match server.ask(commands, Effect::Read, deadline).await {
                Ok(replies) => match replies.iter().filter_map(error_of).find(may_pass) {
                    None => return Ok(replies),
                    Some(error) => error,
                },
                Err(no_answer) => no_answer.into_error(),
            };
            attempts.pause(error).await?;
        }
    }

    async fn attempt(&self, call: &StoreCall<'_>, attempts: &mut Attempts) -> Result<(Route, Vec<Value>), NoAnswer> {
        let route = self.route(call.key, attempts).await.map_err(NoAnswer::NotSent)?;
        let (commands, before) = attempts.commands(call);
        match route.server.ask(&commands, call.effect(), attempts.deadline).await {
            Ok(mut replies) => {
                replies.drain(..before.min(replies.len()));
                Ok((route, replies))
            }
            Err(no_answer) => {
                self.give_up(&route);
                Err(no_answer)
            }
        }
    }

    /// Prepares the next attempt after a refusal, or fails with it.
    async fn after_refusal(&self, route: &Route, attempts: &mut Attempts, error: RedisError) -> Result<(), StoreError> {
        match Refusal::of(&error) {
            Refusal::NoScript if !attempts.loads_script => {
                attempts.loads_script = true;
                attempts.redirect = Some(Arc::clone(&route.server));
                Ok(())
            }
            Refusal::Moved => {
                self.give_up(route);
                self.redirect(route, attempts, error).await
            }
            Refusal::Ask => {
                attempts.is_asking = true;
                self.redirect(route, attempts, error).await
            }
            Refusal::WrongServer => {
                self.give_up(route);
                attempts.pause(error).await
            }
            Refusal::Busy => attempts.pause(error).await,
            Refusal::NoScript => Err(StoreError::new(StoreErrorKind::Refused).with_source(error)),
            Refusal::Final(kind) => Err(StoreError::new(kind).with_source(error)),
        }
    }

    async fn redirect(&self, route: &Route, attempts: &mut Attempts, error: RedisError) -> Result<(), StoreError> {
        let target = error.redirect_node();
        let address = target.and_then(|(node, _)| Address::parse(node, route.server.address.as_ref()));
        let (Source::Cluster(cluster), Some(address)) = (&self.source, address) else {
            return Err(StoreError::new(StoreErrorKind::Refused).with_source(error));
        };
        attempts.redirect = cluster.server(&address).ok();
        match route.found_by {
            FoundBy::Layout(_) => Ok(()),
            // Two servers may each name the other one.
            FoundBy::Redirect => attempts.pause(error).await,
        }
    }

    async fn route(&self, key: &[u8], attempts: &mut Attempts) -> RedisResult<Route> {
        if let Some(server) = attempts.redirect.take() {
            return Ok(Route { server, found_by: FoundBy::Redirect });
        }
        attempts.is_asking = false;
        let layout = match self.layout.known() {
            Some(layout) => layout,
            None => within(attempts.deadline, self.layout.get_or_make(|| self.read_layout())).await?,
        };
        self.recheck();
        let Some(server) = layout.server(key).map(Arc::clone) else {
            self.layout.give_up(&layout);
            return Err((ErrorKind::ClusterConnectionNotFound, "no server has the slot").into());
        };
        Ok(Route { server, found_by: FoundBy::Layout(layout) })
    }

    async fn read_layout(&self) -> RedisResult<Arc<Layout>> {
        let layout = match &self.source {
            Source::Url(server) => Ok(Layout::of_one(Arc::clone(server))),
            Source::Cluster(cluster) => cluster.read_layout().await,
            Source::Sentinels(sentinels) => sentinels.read_layout().await,
        };
        layout.map(Arc::new)
    }

    /// A primary that was replaced while it was cut off from the sentinels may go on to answer. So the sentinels are asked every
    /// few seconds, in the background, while calls use the known primary.
    fn recheck(&self) {
        if let Source::Sentinels(sentinels) = &self.source
            && sentinels.is_recheck_due()
        {
            let (sentinels, layout) = (Arc::clone(sentinels), Arc::clone(&self.layout));
            tokio::spawn(async move {
                let Some(known) = layout.known() else { return };
                if let Some(newer) = sentinels.newer_layout(&known).await {
                    layout.replace(&known, Arc::new(newer));
                }
            });
        }
    }

    /// The server was not the right one, or did not answer. The next attempt reads the layout again.
    fn give_up(&self, route: &Route) {
        if let FoundBy::Layout(layout) = &route.found_by {
            self.layout.give_up(layout);
        }
    }
}

/// How long it may take to connect, and to answer a read: a third of the time limit leaves time for another connection.
pub(crate) fn patience(time_limit: Duration) -> Duration {
    time_limit / 3
}

fn unknown(error: RedisError) -> StoreError {
    StoreError::new(StoreErrorKind::Unknown).with_source(error)
}
