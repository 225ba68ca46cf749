//! One server, and the connections to it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ::redis::aio::{ConnectionManager, SendError};
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, Pipeline, PushInfo, PushKind, RedisError,
    RedisResult, Value,
};
use tokio::time::{Instant, timeout, timeout_at};

use super::refusal::Refusal;
use super::renewed::{Held, Renewed};
use super::socket::Socket;

/// What a server answered to each command, errors too: see [`problem`].
pub(super) type Replies = Vec<Value>;

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until there is no time left: what was sent is not sent again.
    ToTheEnd,
    /// Until it seems that nobody is there: it is sent again on another connection.
    AWhile,
}

/// Why a server did not answer.
pub(super) enum Failure {
    /// Nothing was sent.
    Unreached(RedisError),
    /// Something was, and nobody can tell what came of it.
    Lost(RedisError),
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// As in `MOVED 3999 127.0.0.1:6381`. An address without host is on the host that names it.
    pub(super) fn named(text: &str, by: Option<&Self>) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = if host.is_empty() { &by?.host } else { host };
        Some(Self { host: host.trim_matches(['[', ']']).to_owned(), port: port.parse().ok()? })
    }
}

/// Whether a server must say that it is a primary before it is used: where sentinels named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Any,
    Primary,
}

/// How servers are reached: all but the address.
#[derive(Clone)]
pub(super) struct Template {
    pub(super) info: ConnectionInfo,
    pub(super) connections: usize,
    pub(super) role: Role,
    /// How long a connection may take to be made, and may be silent when it is asked for something that can be asked again.
    pub(super) patience: Duration,
}

impl Template {
    /// The server of the template's own address.
    pub(super) fn server(&self) -> RedisResult<Server> {
        let address = match self.info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some(Address { host: host.clone(), port: *port })
            }
            _ => None,
        };
        let links = (0..self.connections.max(1)).map(|_| Renewed::default()).collect();
        let client = Client::open(self.info.clone())?;
        let own = Own { client, links, next: AtomicUsize::new(0), role: self.role, patience: self.patience };
        Ok(Server { address, way: Way::Own(Box::new(own)) })
    }

    pub(super) fn at(&self, address: &Address) -> Self {
        let (host, port) = (address.host.clone(), address.port);
        let address = match self.info.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        Self { info: self.info.clone().set_addr(address), ..self.clone() }
    }
}

pub(super) struct Server {
    pub(super) address: Option<Address>,
    way: Way,
}

enum Way {
    Own(Box<Own>),
    /// The user's, which connects again by itself; and how long it may be silent.
    Given(ConnectionManager, Duration),
}

/// Connections that carry many calls at once, used in turn.
struct Own {
    client: Client,
    links: Box<[Renewed<Arc<Live>>]>,
    next: AtomicUsize,
    role: Role,
    patience: Duration,
}

struct Live {
    socket: Socket,
    /// The server has closed it: what is sent now is not lost, it is not even sent.
    closed: Arc<AtomicBool>,
    made: Instant,
}

/// Leaves connections that were silent for long, also where the call was dropped before its own limit: on one that hangs
/// everybody would wait in vain.
struct Waiting<'a> {
    own: &'a Own,
    since: Instant,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered && self.since.elapsed() >= self.own.patience {
            self.own.give_up_older(self.since);
        }
    }
}

impl Server {
    pub(super) fn given(manager: ConnectionManager, patience: Duration) -> Self {
        Self { address: None, way: Way::Given(manager, patience) }
    }

    /// One round trip.
    pub(super) async fn ask(&self, pipeline: &Pipeline, deadline: Instant, wait: Wait) -> Result<Replies, Failure> {
        match &self.way {
            Way::Own(own) => own.ask(pipeline, deadline, wait).await,
            Way::Given(manager, patience) => {
                let until = wait.until(deadline, Instant::now(), *patience);
                let mut manager = manager.clone();
                match timeout_at(until, manager.send_packed_commands(pipeline, 0, pipeline.len())).await {
                    Ok(Ok(replies)) => Ok(replies),
                    Ok(Err(error)) if error.is_connection_refusal() => Err(Failure::Unreached(error)),
                    Ok(Err(error)) => Err(Failure::Lost(error)),
                    Err(_) => Err(Failure::Lost(late())),
                }
            }
        }
    }
}

impl Wait {
    fn until(self, deadline: Instant, since: Instant, patience: Duration) -> Instant {
        match self {
            Self::ToTheEnd => deadline,
            Self::AWhile => deadline.min(since + patience),
        }
    }
}

impl Own {
    async fn ask(&self, pipeline: &Pipeline, deadline: Instant, wait: Wait) -> Result<Replies, Failure> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.links.len();
        let Some(link) = self.links.get(turn) else { return Err(Failure::Unreached(late())) };
        let live = match link.known().filter(|live| !live.is_closed()) {
            Some(live) => live,
            None => match timeout_at(deadline, self.live(link)).await {
                Ok(live) => live.map_err(Failure::Unreached)?,
                Err(_) => return Err(Failure::Unreached(late())),
            },
        };
        let since = Instant::now();
        let mut waiting = Waiting { own: self, since, is_answered: false };
        let until = wait.until(deadline, since, self.patience);
        let answer = timeout_at(until, live.socket.ask(pipeline)).await;
        waiting.is_answered = answer.is_ok();
        match answer {
            Ok(Ok(replies)) => {
                // Its name may stand for another machine by now. One that has just been made would be the same again: a
                // crowd makes no more of them than one caller does.
                if replies.iter().any(is_elsewhere) && live.made.elapsed() >= self.patience {
                    link.give_up(&live);
                }
                Ok(replies)
            }
            Ok(Err(error)) => {
                link.give_up(&live);
                Err(Failure::Lost(error))
            }
            Err(_) => Err(Failure::Lost(late())),
        }
    }

    /// What hangs is rarely one connection alone.
    fn give_up_older(&self, moment: Instant) {
        for link in &self.links {
            link.give_up_if(|live| live.made <= moment);
        }
    }

    async fn live(&self, link: &Renewed<Arc<Live>>) -> RedisResult<Held<Arc<Live>>> {
        let live = link.current(|| self.connect()).await?;
        if !live.is_closed() {
            return Ok(live);
        }
        link.give_up(&live);
        link.current(|| self.connect()).await
    }

    async fn connect(&self) -> RedisResult<Arc<Live>> {
        let closed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&closed);
        let config = AsyncConnectionConfig::new()
            // Each call has a limit of its own.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(1024)
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    flag.store(true, Ordering::Relaxed);
                }
                Ok::<_, SendError>(())
            });
        let socket = Socket::open(&self.client, config, self.patience).await?;
        if self.role == Role::Primary {
            let mut role = Pipeline::with_capacity(1);
            role.cmd("ROLE");
            let answer = timeout(self.patience, socket.ask(&role)).await.map_err(|_| late())?;
            match answer.and_then(|mut replies| replies.pop().unwrap_or(Value::Nil).extract_error()) {
                Ok(Value::Array(role)) if role.first().is_some_and(|role| text(role) != Some("master")) => {
                    return Err((ErrorKind::Client, "the server is no primary").into());
                }
                // A user that may not ask has to trust the sentinels.
                Ok(_) => {}
                Err(error) if error.is_io_error() => return Err(error),
                Err(_) => {}
            }
        }
        Ok(Arc::new(Live { socket, closed, made: Instant::now() }))
    }
}

impl Live {
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

/// The error that a reply is.
pub(super) fn problem(reply: &Value) -> Option<RedisError> {
    match reply {
        Value::ServerError(error) => Some(error.clone().into()),
        _ => None,
    }
}

fn is_elsewhere(reply: &Value) -> bool {
    problem(reply).is_some_and(|error| Refusal::of(&error) == Refusal::Elsewhere)
}

/// The text of a reply.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

pub(super) fn late() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}
