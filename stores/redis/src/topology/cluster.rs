//! The servers of a cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::redis::{ErrorKind, Pipeline, RedisResult, Value, from_redis_value_ref};
use tokio::time::Instant;

use super::address::Address;
use super::explain::more_telling;
use super::layout::{Layout, Servers};
use super::server::{Effect, NoAnswer, Server, ServerOptions};

pub(crate) struct Cluster {
    servers: Servers,
    /// The servers of the URL, which are asked too.
    seeds: Vec<Address>,
    patience: Duration,
    turn: AtomicUsize,
}

impl Cluster {
    pub(crate) fn new(options: ServerOptions, seeds: Vec<Address>) -> Self {
        let patience = options.patience;
        Self { servers: Servers::new(options), seeds, patience, turn: AtomicUsize::new(0) }
    }

    pub(super) fn server(&self, address: &Address) -> RedisResult<Arc<Server>> {
        self.servers.at(address)
    }

    /// Asks one server after the other until one answers. Begins with another server each time, so that the answer of one
    /// server that is cut off is not used for long.
    pub(super) async fn read_layout(&self) -> RedisResult<Layout> {
        let mut addresses = self.servers.addresses();
        addresses.extend(self.seeds.iter().cloned());
        addresses.sort();
        addresses.dedup();
        let count = addresses.len().max(1);
        addresses.rotate_left(self.turn.fetch_add(1, Ordering::Relaxed) % count);
        let mut problem = None;
        for address in addresses {
            match self.read_slots(&address).await {
                Ok(ranges) => return self.servers.layout(ranges),
                Err(error) => problem = Some(more_telling(problem, error)),
            }
        }
        Err(problem
            .unwrap_or_else(|| (ErrorKind::ClusterConnectionNotFound, "no server of the cluster is named").into()))
    }

    async fn read_slots(&self, address: &Address) -> RedisResult<Vec<(u16, u16, Address)>> {
        let mut commands = Pipeline::with_capacity(1);
        commands.cmd("CLUSTER").arg("SLOTS");
        let deadline = Instant::now() + self.patience;
        let replies = self.servers.at(address)?.ask(&commands, Effect::Read, deadline).await;
        let reply = replies.map_err(NoAnswer::into_error)?.pop().unwrap_or(Value::Nil).extract_error()?;
        let ranges = parse_slots(&reply, address).filter(|ranges| !ranges.is_empty());
        ranges.ok_or_else(|| (ErrorKind::UnexpectedReturnType, "the server does not say who has which slot").into())
    }
}

/// Reads the reply to `CLUSTER SLOTS`. The first server of each range is its primary.
fn parse_slots(reply: &Value, asked: &Address) -> Option<Vec<(u16, u16, Address)>> {
    let Value::Array(ranges) = reply else { return None };
    let parse = |range: &Value| {
        let Value::Array(range) = range else { return None };
        let [first, last, Value::Array(primary), ..] = range.as_slice() else { return None };
        let [host, port, ..] = primary.as_slice() else { return None };
        // A server that does not know its own host leaves it out, or sends a `?`.
        let host = from_redis_value_ref::<Option<String>>(host).ok()?.filter(|host| !matches!(host.as_str(), "" | "?"));
        let host = host.unwrap_or_else(|| asked.host.clone());
        let number = |value| from_redis_value_ref::<u16>(value).ok();
        Some((number(first)?, number(last)?, Address { host, port: number(port)? }))
    };
    ranges.iter().map(parse).collect()
}
