//! One server, and the connections to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::redis::aio::ConnectionManager;
use ::redis::{Client, ConnectionInfo, Pipeline, RedisError, RedisResult, Value};
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::link::{Link, RequiredRole};
use super::refusal::Refusal;
use super::renewable::{Renewable, Snapshot};
use super::reply::{error_of, timed_out, within};

/// What the commands do, and so whether they may be sent again after their answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// May be sent again. Waits only as long as the server's patience, so that there is time for another connection.
    Read,
    /// Is never sent again (R10). Waits until the deadline.
    Write,
}

/// Why commands were not answered.
pub(super) enum NoAnswer {
    /// The commands were not sent.
    NotSent(RedisError),
    /// The commands were sent. They may have been executed.
    Lost(RedisError),
}

impl NoAnswer {
    pub(super) fn into_error(self) -> RedisError {
        match self {
            Self::NotSent(error) | Self::Lost(error) => error,
        }
    }
}

/// How servers are reached.
#[derive(Clone)]
pub(crate) struct ServerOptions {
    pub(crate) info: ConnectionInfo,
    pub(crate) connections: usize,
    pub(crate) role: RequiredRole,
    /// How long it may take to connect, and to answer a read.
    pub(crate) patience: Duration,
}

impl ServerOptions {
    /// The server that these options name.
    pub(crate) fn server(&self) -> RedisResult<Server> {
        let links = Links {
            client: Client::open(self.info.clone())?,
            role: self.role,
            patience: self.patience,
            links: (0..self.connections.max(1)).map(|_| Renewable::default()).collect(),
            turn: AtomicUsize::new(0),
        };
        Ok(Server { address: Address::of(&self.info), connections: Connections::Own(Box::new(links)) })
    }

    /// The server at another address.
    pub(crate) fn server_at(&self, address: &Address) -> RedisResult<Server> {
        Self { info: address.with_options_of(&self.info), ..self.clone() }.server()
    }
}

pub(crate) struct Server {
    pub(super) address: Option<Address>,
    connections: Connections,
}

enum Connections {
    Own(Box<Links>),
    /// The user's connection, which connects again by itself, and the server's patience.
    Given(ConnectionManager, Duration),
}

impl Server {
    pub(super) fn given(manager: ConnectionManager, patience: Duration) -> Self {
        Self { address: None, connections: Connections::Given(manager, patience) }
    }

    /// Sends the commands in one round trip.
    pub(super) async fn ask(
        &self,
        commands: &Pipeline,
        effect: Effect,
        deadline: Instant,
    ) -> Result<Vec<Value>, NoAnswer> {
        match &self.connections {
            Connections::Own(links) => links.ask(commands, effect, deadline).await,
            Connections::Given(manager, patience) => {
                let (mut manager, until) = (manager.clone(), effect.answered_by(deadline, *patience));
                let replies = within(until, manager.send_packed_commands(commands, 0, commands.len())).await;
                replies.map_err(|error| match error.is_connection_refusal() {
                    true => NoAnswer::NotSent(error),
                    false => NoAnswer::Lost(error),
                })
            }
        }
    }
}

impl Effect {
    fn answered_by(self, deadline: Instant, patience: Duration) -> Instant {
        match self {
            Self::Read => deadline.min(Instant::now() + patience),
            Self::Write => deadline,
        }
    }
}

/// A fixed number of connections, used in turn.
struct Links {
    client: Client,
    role: RequiredRole,
    patience: Duration,
    links: Box<[Renewable<Arc<Link>>]>,
    turn: AtomicUsize,
}

impl Links {
    async fn ask(&self, commands: &Pipeline, effect: Effect, deadline: Instant) -> Result<Vec<Value>, NoAnswer> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.links.len();
        let Some(place) = self.links.get(turn) else { return Err(NoAnswer::NotSent(timed_out())) };
        let link = match place.known().filter(|link| !link.is_closed()) {
            Some(link) => link,
            None => within(deadline, self.connect(place)).await.map_err(NoAnswer::NotSent)?,
        };
        let mut waiting = Waiting { links: self, since: Instant::now(), is_answered: false };
        let answer = timeout_at(effect.answered_by(deadline, self.patience), link.send(commands)).await;
        waiting.is_answered = answer.is_ok();
        match answer {
            Ok(Ok(replies)) => {
                // The server's host name may stand for another machine by now. A link that is younger than the patience stays:
                // it would be the same again, and so a crowd of callers makes few connections.
                if replies.iter().any(is_wrong_server) && link.age() >= self.patience {
                    place.give_up(&link);
                }
                Ok(replies)
            }
            Ok(Err(error)) => {
                place.give_up(&link);
                Err(NoAnswer::Lost(error))
            }
            Err(_) => Err(NoAnswer::Lost(timed_out())),
        }
    }

    async fn connect(&self, place: &Renewable<Arc<Link>>) -> RedisResult<Snapshot<Arc<Link>>> {
        let open = || async { Link::open(&self.client, self.role, self.patience).await.map(Arc::new) };
        let link = place.get_or_make(open).await?;
        if !link.is_closed() {
            return Ok(link);
        }
        place.give_up(&link);
        place.get_or_make(open).await
    }
}

fn is_wrong_server(reply: &Value) -> bool {
    error_of(reply).is_some_and(|error| Refusal::of(&error) == Refusal::WrongServer)
}

/// A call that waits for its answer. If it ends without an answer after the patience, all links that existed when it began are
/// given up: where one connection hangs, the others usually hang too. This happens on drop, because the caller may give the
/// call up before its own deadline.
struct Waiting<'a> {
    links: &'a Links,
    since: Instant,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered && self.since.elapsed() >= self.links.patience {
            for link in &self.links.links {
                link.give_up_if(|link| link.existed_at(self.since));
            }
        }
    }
}
